"""2D poses that were found elsewhere, as clips of a run."""
