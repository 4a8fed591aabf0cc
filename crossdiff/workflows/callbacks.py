"""Callbacks of workflows for stages and defaults. Progress goes through `crossdiff.progress` instead."""

from __future__ import annotations

from collections.abc import Callable

# Called after each stage with its name and its result, whose text is one line.
StageCallback = Callable[[str, object], None]
# Called with a setting that was left out, the value that was taken, and why: ("run", runs/0003, "the latest run").
DefaultCallback = Callable[[str, object, str], None]


def silent(*_: object) -> None:
    """Either callback, for callers that want no reports."""
