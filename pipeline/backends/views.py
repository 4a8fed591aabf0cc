"""Which parts of a picture are searched for people, and in which frames."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator

import numpy as np

from crossdiff.pipeline.backends.regions import View

# BlazePose's detector, which sees any view in 224 x 224 pixels, finds a body best where it is about half the view's
# side. Each level of views is 0.6 times the one before: somebody of a fifth of the picture fills half of the smallest.
_LEVELS = (1.0, 0.6, 0.36)
# Least overlap of neighbouring views, in their sides. Half lets anybody of half a view fit into one; the many smallest
# views overlap less.
_OVERLAPS = (0.25, 0.5, 0.25)
_SMALLEST = 112  # pixels, sides of views; the detector would see smaller ones magnified more than twice
_SWEEP_EVERY = 2  # frames from one view of the first sweep to the next
_OFTEN = 4  # times as many views are searched while somebody is missing


class ViewSchedule:
    """Gives the views to search in each frame.

    The first frame is searched in the whole picture and in squares of its shorter side. Smaller squares follow one by
    one (the first sweep), then a view every `every` frames. Without anybody to follow, the whole picture is searched in
    every frame, as MediaPipe does it, and another view in every second one.
    """

    def __init__(self, width: int, height: int, every: int) -> None:
        self._whole = (0, 0, width, height)
        sides = [round(level * min(width, height)) for level in _LEVELS]
        large, *small = (squares(width, height, *which) for which in zip(sides, _OVERLAPS, strict=True))
        self._first = list(dict.fromkeys([self._whole, *large]))
        self._sweep = deque(
            view for side, views in zip(sides[1:], small, strict=True) if side >= _SMALLEST for view in views
        )
        self._turns = _turns(self._first, list(self._sweep) or self._first)
        self._every = every

    def due(self, number: int, anybody: bool, missing: bool) -> list[View]:
        """The views for a frame. anybody: whether somebody is followed; missing: whether somebody was lost lately."""
        if number == 0:
            return self._first
        if not anybody:
            return [self._whole] if number % 2 else [self._whole, self._next()]
        every = _SWEEP_EVERY if self._sweep else max(1, self._every // _OFTEN) if missing else self._every
        return [self._next()] if number % every == 0 else []

    def search_soon(self, *views: View) -> None:
        """Put views in front of the others."""
        self._sweep.extendleft(views)

    def rest(self) -> list[View]:
        """The views of the first sweep that are left when a video ends."""
        views = list(self._sweep)
        self._sweep.clear()
        return views

    def _next(self) -> View:
        return self._sweep.popleft() if self._sweep else next(self._turns)


def squares(width: int, height: int, side: int, overlap: float) -> list[View]:
    """Squares that cover a picture. overlap: least one of neighbours, in their sides."""
    rows, columns = (_starts(length, side, overlap) for length in (height, width))
    return [(x, y, min(x + side, width), min(y + side, height)) for y in rows for x in columns]


def _turns(large: list[View], small: list[View]) -> Iterator[View]:
    """Views without end: two large ones and a small one in turn."""
    for number in itertools.count():
        yield large[2 * number % len(large)]
        yield large[(2 * number + 1) % len(large)]
        yield small[number % len(small)]


def _starts(length: int, side: int, overlap: float) -> list[int]:
    number = 1 if side >= length else 1 + int(np.ceil((length - side) / ((1 - overlap) * side)))
    return [round(start) for start in np.linspace(0, max(0, length - side), number)]
