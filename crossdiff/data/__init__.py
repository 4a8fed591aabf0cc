"""Datasets: preparing raw motion, HumanML3D/KIT folders, wild 2D clips, batches."""
