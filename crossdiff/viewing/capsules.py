"""A renderer of shaded capsules with a depth buffer.

Each capsule is shaded in its bounding box, with an array per quantity, small enough for the processor's caches.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

# As float32, which is faster in numpy than Python's numbers. Light comes from the upper left (right, up, away).
_LIGHT = (np.array([-0.45, 0.72, -0.53]) / np.linalg.norm([-0.45, 0.72, -0.53])).astype(np.float32)
_DARK, _DIFFUSE, _RIM, _GLOSS = np.array([0.66, 0.42, 0.16, 46], dtype=np.float32)
_HALF, _NONE, _ALL = np.float32(0.5), np.array(0, dtype=np.float32), np.array(1, dtype=np.float32)


@dataclass(frozen=True)
class Capsules:
    """Tapered capsules as a camera sees them, the farthest first.

    ends: (N, 2, 2) pixels; radius: (N, 2) pixels; depth: (N, 2) metres; colours: (N, 3);
    focal: of the camera in pixels; blur: metres over which intersecting capsules blend.
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
        size = canvas.shape[1::-1]
        low = np.clip(np.floor(self.ends.min(axis=1) - reach), 0, size).astype(int)
        high = np.clip(np.ceil(self.ends.max(axis=1) + reach), 0, size).astype(int)
        visible = np.flatnonzero((low < high).all(axis=1))
        if not len(visible):
            return
        corner, (right, bottom) = low[visible].min(axis=0), high[visible].max(axis=0)
        left, top = corner.tolist()
        region = canvas[top:bottom, left:right]
        planes = [plane.astype(np.float32) for plane in cv2.split(region)]
        nearest = np.full(region.shape[:2], np.inf, dtype=np.float32)
        x = np.arange(left, right, dtype=np.float32) + np.float32(0.5)
        y = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
        for n in visible.tolist():
            (x0, y0), (x1, y1) = (low[n] - corner).tolist(), (high[n] - corner).tolist()
            self._blend(n, [plane[y0:y1, x0:x1] for plane in planes], nearest[y0:y1, x0:x1], x[x0:x1], y[y0:y1])
        region[:] = cv2.merge([cv2.convertScaleAbs(plane) for plane in planes])

    def _blend(self, n: int, planes: list[ndarray], nearest: ndarray, x: ndarray, y: ndarray) -> None:
        """Paint capsule n into the three planes (h, w) of a box, whose pixels are at x (w,) and y (h, 1), in place.

        nearest: (h, w) depth buffer in metres, updated.
        """
        cover, depth, shade, gloss = self._shade(n, x, y)
        before = nearest - depth
        before *= np.float32(1 / self.blur)
        before += _HALF
        cover *= _share(before)
        np.copyto(nearest, depth, where=cover > _HALF)
        for plane, colour in zip(planes, self.colours[n].astype(np.float32), strict=True):
            ink = shade * colour
            ink += gloss
            ink -= plane
            ink *= cover
            plane += ink

    def _shade(self, n: int, x: ndarray, y: ndarray) -> tuple[ndarray, ndarray, ndarray, ndarray]:
        """Coverage, depth in metres, brightness and gloss of capsule n at each pixel, (h, w) each.

        Arrays are reused, which is faster.
        """
        step = self.ends[n, 1] - self.ends[n, 0]
        span = max(float(np.hypot(*step)), 1e-3)
        x0, y0, dx, dy, length, scale = np.array([*self.ends[n, 0], *step / span, span, 1 / span], dtype=np.float32)
        radius0, radius1, depth0, depth1 = np.array([*self.radius[n], *self.depth[n]], dtype=np.float32)
        x, y = x - x0, y - y0
        # In the capsule's own axes: along it, then beyond its nearer end, and across.
        beyond = x * dx + y * dy
        across = y * dx - x * dy
        share = beyond.clip(_NONE, length)
        beyond -= share
        share *= scale
        radius = share * (radius1 - radius0)
        radius += radius0
        away = beyond * beyond
        away += across * across
        np.sqrt(away, out=away)
        cover = radius - away
        cover += _HALF
        away /= radius
        bulge = np.minimum(away, _ALL, out=away)
        bulge *= bulge
        np.subtract(_ALL, bulge, out=bulge)
        np.sqrt(bulge, out=bulge)
        depth = share * (depth1 - depth0)
        depth += depth0
        raised = radius * bulge
        raised *= np.float32(-1 / self.focal)
        raised += _ALL
        depth *= raised
        right, up, away_from = _LIGHT
        beyond *= dx * right - dy * up
        across *= -dy * right - dx * up
        lit = np.add(beyond, across, out=beyond)
        lit /= radius
        lit -= bulge * away_from
        np.maximum(lit, _NONE, out=lit)
        gloss = lit * lit
        gloss *= lit
        gloss *= gloss
        gloss *= _GLOSS
        bulge -= _ALL
        bulge *= bulge
        bulge *= _RIM
        lit *= _DIFFUSE
        lit += _DARK
        lit -= bulge
        return _share(cover), depth, lit, gloss


def _share(value: ndarray) -> ndarray:
    """Clip to 0..1, in place."""
    return value.clip(_NONE, _ALL, out=value)
