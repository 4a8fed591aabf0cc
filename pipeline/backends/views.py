"""Which parts of a picture are searched for people, and in which frames."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

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
_WIDTH = 0.2  # of somebody upright for whom a view is made, in its sides
# Changes are looked for in a grey copy of this longer side; pixels that differ by a tenth of the range have changed.
_COPY, _CHANGED = 160, 25
_PARTS = 7  # pixels of the copy by which changed parts of one body may be apart
_EVERYWHERE = 0.3  # share of changed pixels above which the camera moves
_MARGIN = 0.1  # around known people, in sizes of their boxes; their shadows and what they carry
_PLACES = 3  # largest changed places that are searched in turn


class ViewSchedule:
    """Gives the views to search in each frame.

    The first frame is searched in the whole picture and in squares of its shorter side. Smaller squares follow one by
    one (the first sweep), without those that known people fill, then a view every `every` frames: in turn one around
    what changed in the picture, and one of all views. Where nothing changes, every second search is left out. Without
    anybody to follow, the whole picture is searched in every frame, as MediaPipe does it, and another view in every
    second one.
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

    def due(self, number: int, boxes: Float[ndarray, "n 4"], missing: bool, change: Change | None = None) -> list[View]:
        """The views for a frame.

        boxes: of those who are followed; missing: whether somebody was lost lately; change: since the last frame whose
        number is a multiple of `every`, in such frames.
        """
        if number == 0:
            return self._first
        if not len(boxes):
            return [self._whole] if number % 2 else [self._whole, self._next(boxes)]
        odd = number // self._every % 2 == 1
        if odd and change is not None and change.views:
            return [change.views[number // self._every // 2 % len(change.views)]]
        every = _SWEEP_EVERY if self._sweep else max(1, self._every // _OFTEN) if missing else self._every
        quiet = odd and change is not None and not change.is_everywhere and not self._sweep and not missing
        return [] if number % every or quiet else [self._next(boxes)]

    def search_soon(self, *views: View) -> None:
        """Put views in front of the others."""
        self._sweep.extendleft(views)

    def rest(self, boxes: Float[ndarray, "n 4"]) -> list[View]:
        """The views of the first sweep that are left when a video ends. boxes: of those who are followed."""
        views = [view for view in self._sweep if not _is_filled(view, boxes)]
        self._sweep.clear()
        return views

    def _next(self, boxes: Float[ndarray, "n 4"]) -> View:
        while self._sweep:
            if not _is_filled(view := self._sweep.popleft(), boxes):
                return view
        return next(self._turns)


@dataclass(frozen=True)
class Change:
    """Where a picture changed. is_everywhere: the camera moved, or the light; views: around changed places, the largest
    first."""

    is_everywhere: bool
    views: list[View]


class ChangeFinder:
    """Compares frames with earlier ones, except around people who are known, after the camera's shift is taken out.

    smallest: length of the smallest person to be found, in pixels.
    """

    def __init__(self, width: int, height: int, smallest: float) -> None:
        self._size = np.array([width, height])
        self._zoom = min(1.0, _COPY / max(width, height))
        self._smallest = smallest
        self._before: ndarray | None = None
        self._known_before = np.zeros((0, 4))

    def since_last(self, frame: ndarray, boxes: Float[ndarray, "n 4"]) -> Change:
        """The change since the frame of the last call. boxes: of known people in this frame."""
        import cv2

        small = np.maximum(1, np.round(self._size * self._zoom)).astype(int).tolist()
        grey = cv2.cvtColor(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        grey = cv2.blur(grey, (3, 3))
        before, known = self._before, [*self._known_before, *boxes]
        self._before, self._known_before = grey, boxes
        if before is None:
            return Change(True, [])
        changed = (cv2.absdiff(grey, _shifted(before, grey)) > _CHANGED).astype(np.uint8)
        if changed.mean() > _EVERYWHERE:
            return Change(True, [])
        for left, top, right, bottom in known:
            margin = _MARGIN * max(right - left, bottom - top)
            widened = (left - margin, top - margin, right + margin + 1, bottom + margin + 1)
            x, y, end_x, end_y = (max(0, int(self._zoom * side)) for side in widened)
            changed[y : end_y + 1, x : end_x + 1] = 0
        joined = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((_PARTS, _PARTS), np.uint8))
        places = cv2.connectedComponentsWithStats(joined)[2][1:]
        large = [place for place in places if max(place[2:4]) >= self._smallest * self._zoom / 2]
        largest = sorted(large, key=lambda place: -place[4])[:_PLACES]
        return Change(False, [self._around(place[:4] / self._zoom) for place in largest])

    def _around(self, place: Float[ndarray, "4"]) -> View:
        """A square in which somebody as large as a place (left, top, width, height) fills half."""
        side = float(np.clip(2 * max(place[2:]), _SMALLEST, max(_SMALLEST, self._size.min())))
        low = np.clip(place[:2] + place[2:] / 2 - side / 2, 0, np.maximum(self._size - side, 0)).astype(int)
        high = np.minimum(low + round(side), self._size)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _shifted(before: UInt8[ndarray, "h w"], now: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    """A picture moved to where a later one shows the same; what the camera has newly come to see is as it is there."""
    import cv2

    size = (now.shape[1], now.shape[0])
    (x, y), _ = cv2.phaseCorrelate(np.float32(before), np.float32(now), cv2.createHanningWindow(size, cv2.CV_32F))
    movement = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
    return cv2.warpAffine(before, movement, size, now.copy(), borderMode=cv2.BORDER_TRANSPARENT)


def _is_filled(view: View, boxes: Sequence[Float[ndarray, "4"]] | Float[ndarray, "n 4"]) -> bool:
    """Whether somebody known leaves no room in a view for somebody of the size that it is made for."""
    room = _WIDTH * (view[2] - view[0])
    return any((box[:2] - room <= view[:2]).all() and (box[2:] + room >= view[2:]).all() for box in boxes)


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
