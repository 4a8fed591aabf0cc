"""Motions as files that other programs read: BVH, GLB, SMPL, NPZ and CSV."""
