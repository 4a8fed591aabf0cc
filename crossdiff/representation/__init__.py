"""Motion features: layouts, 2D and 3D features both ways, projection, rotations, normaliser."""
