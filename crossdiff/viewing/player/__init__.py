"""The interactive page of `crossdiff view`: figures in space, played in step."""
