"""Experiments that train and evaluate several models, and their tables."""
