"""How accurately a teacher lifts motion whose 3D is known, and baselines beside it."""
