"""Tracks of keypoints to clean 2D motion, and the measures by which tracks are filtered."""
