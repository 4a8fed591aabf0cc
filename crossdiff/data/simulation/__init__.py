"""Simulated film of 3D motion, for training to lift: other bodies and poses, cameras, and a detector's errors."""
