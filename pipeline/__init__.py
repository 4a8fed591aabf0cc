"""Videos to 2D motion and pseudo-3D labels: extraction, filtering, building; what became of each input is kept."""
