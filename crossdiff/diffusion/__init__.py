"""Noise schedule, solvers, standard and mixture sampling, lifting."""
