"""Imports 2D poses of other tools as clips of a run."""
