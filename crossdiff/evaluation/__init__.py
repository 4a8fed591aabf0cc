"""Evaluation of generated motion: the field's metrics and protocol, results and reports."""
