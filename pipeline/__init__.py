"""Videos to 2D motion and pseudo-3D labels: extraction, filtering, building, with a ledger of every input."""
