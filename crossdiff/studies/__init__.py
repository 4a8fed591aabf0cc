"""Experiments that train and evaluate several models, and tables of what they found."""
