"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

# Called with the share that is done, 0 to 1, and what is being done.
Tell = Callable[[float, str], None]


def part_of(tell: Tell, start: float, end: float) -> Tell:
    """For a step of the work: its 0 to 1 are told as `start` to `end` of the whole."""
    return lambda share, what: tell(start + (end - start) * share, what)
