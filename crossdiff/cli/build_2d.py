"""`crossdiff filter`."""
