"""Accuracy of pseudo labels on film whose motion was measured in 3D."""
