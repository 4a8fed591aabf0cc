"""A small painter of shaded capsules that hide each other by their depth at each pixel.

The pixels of all capsules are shaded together, a flat array for each quantity: numpy is at its best so.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

_LIGHT = np.array([-0.45, 0.72, -0.53]) / np.linalg.norm([-0.45, 0.72, -0.53])  # camera axes, from upper left


@dataclass(frozen=True)
class Capsules:
    """Tapered capsules as a camera sees them, the farthest first.

    ends: (N, 2, 2) pixels; radius: (N, 2) pixels; depth: (N, 2) metres; colours: (N, 3);
    focal: of the camera in pixels; blur: metres over which two that cross blend.
    """

    ends: Float[ndarray, "n 2 2"]
    radius: Float[ndarray, "n 2"]
    depth: Float[ndarray, "n 2"]
    colours: Float[ndarray, "n 3"]
    focal: float
    blur: float

    def paint(self, canvas: ndarray) -> None:
        """Blend into `canvas` (H, W, 3) uint8, in place."""
        reach = self.radius.max(axis=1, keepdims=True) + 1
        low, high = (self.ends.min(axis=1) - reach), (self.ends.max(axis=1) + reach)
        size = canvas.shape[1::-1]
        left, top = np.clip(np.floor(low.min(axis=0, initial=np.inf)), 0, size).astype(int).tolist()
        right, bottom = np.clip(np.ceil(high.max(axis=0, initial=-np.inf)), 0, size).astype(int).tolist()
        if left >= right or top >= bottom:
            return
        region = canvas[top:bottom, left:right]
        planes = np.ascontiguousarray(np.moveaxis(region, -1, 0), dtype=np.float32)
        self._blend(planes, self.ends - (left, top), reach[:, 0])
        region[:] = cv2.merge(list((planes + 0.5).astype(np.uint8)))

    def _blend(self, planes: ndarray, ends: ndarray, reach: ndarray) -> None:
        """Paint into a plane for each colour, (3, H, W); ends: (N, 2, 2), in these planes."""
        _, height, width = planes.shape
        capsule, row, column = _pixels(ends, reach, width, height)
        counts = np.bincount(capsule, minlength=len(ends))
        edge, depth, inks = self._shade(ends, counts, column, row)
        at = row * width + column
        nearest = np.full(height * width, np.inf, dtype=np.float32)
        flat = planes.reshape(3, -1)
        stop = 0
        for count in counts.tolist():
            part = slice(stop, stop + count)
            stop += count
            where = at[part]
            behind = nearest[where]
            cover = edge[part] * _share((behind - depth[part]) / np.float32(self.blur) + 0.5)
            nearest[where] = np.where(cover > 0.5, depth[part], behind)
            before = flat[:, where]
            flat[:, where] = before + cover * (inks[:, part] - before)

    def _shade(self, ends: ndarray, counts: ndarray, column: ndarray, row: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """Of each pixel, were its capsule alone: the share that is covered, depth in metres, colours (3, P).

        counts: (N,) pixels of each capsule; column, row: (P,).
        """
        step = ends[:, 1] - ends[:, 0]
        unit = step / np.maximum((step * step).sum(axis=1, keepdims=True), 1e-6)
        slopes = np.stack([self.radius[:, 1] - self.radius[:, 0], self.depth[:, 1] - self.depth[:, 0]])
        known = np.concatenate([ends[:, 0].T, step.T, unit.T, self.radius[:, :1].T, self.depth[:, :1].T, slopes])
        # The numbers of each pixel's capsule.
        x0, y0, dx, dy, ux, uy, radius, axis_depth, widening, deepening = np.repeat(
            known.astype(np.float32), counts, axis=1
        )
        x = column.astype(np.float32) + np.float32(0.5) - x0
        y = row.astype(np.float32) + np.float32(0.5) - y0
        along = _share(x * ux + y * uy)
        x, y = x - along * dx, y - along * dy
        radius = radius + along * widening
        axis_depth = axis_depth + along * deepening
        away = np.sqrt(x * x + y * y)
        bulge = np.sqrt(1 - np.square(np.minimum(away / radius, 1)))
        depth = axis_depth - bulge * radius * (axis_depth / np.float32(self.focal))
        lit = (x * np.float32(_LIGHT[0]) - y * np.float32(_LIGHT[1])) / radius - bulge * np.float32(_LIGHT[2])
        lit = np.maximum(lit, 0)
        shade = 0.66 + 0.42 * lit - 0.16 * np.square(1 - bulge)
        gloss = 46 * np.square(lit * lit * lit)
        colours = np.repeat(self.colours.T.astype(np.float32), counts, axis=1)
        return _share(radius - away + 0.5), depth, np.minimum(shade * colours + gloss, 255)


def _pixels(ends: ndarray, reach: ndarray, width: int, height: int) -> tuple[ndarray, ndarray, ndarray]:
    """Capsule, row and column, (P,) each, of all pixels less than `reach` (N,) from a capsule's axis, in order."""
    low, high = ends[..., 1].min(axis=1) - reach, ends[..., 1].max(axis=1) + reach
    capsule, row = _ranges(low, high, height)
    left, right = _across(ends[capsule], reach[capsule], row + 0.5)
    line, column = _ranges(left, right, width)
    return capsule[line], row[line], column


def _across(ends: ndarray, reach: ndarray, y: ndarray) -> tuple[ndarray, ndarray]:
    """First and last x, (R,) each, that is less than `reach` (R,) from an axis `ends` (R, 2, 2) in the row of height y.

    A row may meet both round ends and both straight sides between them.
    """
    (x0, y0), (x1, y1) = np.moveaxis(ends, 0, -1)
    dx, dy = x1 - x0, y1 - y0
    limits = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for x_end, y_end in ((x0, y0), (x1, y1)):
            half = np.sqrt(reach**2 - (y - y_end) ** 2)  # NaN: the row misses this end
            limits += [x_end - half, x_end + half]
        for side in (reach, -reach):
            scale = side / np.hypot(dx, dy)
            share = (y - y0 - scale * dx) / dy
            limits.append(np.where((share >= 0) & (share <= 1), x0 - scale * dy + share * dx, np.nan))
    return np.fmin.reduce(limits), np.fmax.reduce(limits)


def _ranges(starts: ndarray, stops: ndarray, limit: int) -> tuple[ndarray, ndarray]:
    """All whole numbers within [0, limit) of several ranges, one range after the other: which range, and the number.

    A range whose limits are NaN is empty.
    """
    first, last = (np.clip(np.nan_to_num(v), 0, limit).astype(np.int32) for v in (np.floor(starts), np.ceil(stops)))
    counts = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    before = np.cumsum(counts) - counts
    return which, np.arange(len(which), dtype=np.int32) + np.repeat((first - before).astype(np.int32), counts)


def _share(value: ndarray) -> ndarray:
    """Kept between 0 and 1; quicker than np.clip."""
    return np.minimum(np.maximum(value, 0), 1)
