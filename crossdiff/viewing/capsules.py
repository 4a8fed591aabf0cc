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
        planes = np.stack(cv2.split(region)).astype(np.float32)
        nearest = np.full(region.shape[:2], np.inf, dtype=np.float32)
        x = np.arange(left, right, dtype=np.float32) + np.float32(0.5)
        y = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
        colours = self.colours.astype(np.float32)[:, :, None, None]
        axes = self._axes()
        low, high = low - corner, high - corner
        for n, (x0, y0), (x1, y1) in zip(visible.tolist(), low[visible].tolist(), high[visible].tolist(), strict=True):
            shaded = self._shade(axes[n], x[x0:x1], y[y0:y1])
            self._blend(shaded, colours[n], planes[:, y0:y1, x0:x1], nearest[y0:y1, x0:x1])
        region[:] = cv2.merge([cv2.convertScaleAbs(plane) for plane in planes])

    def _axes(self) -> Float[ndarray, "n 10"]:
        """For each capsule its first end, direction, length and the inverse of that, radii and depths, as float32."""
        step = self.ends[:, 1] - self.ends[:, 0]
        span = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-3)[:, None]
        parts = [self.ends[:, 0], step / span, span, 1 / span, self.radius, self.depth]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _blend(
        self, shaded: tuple[ndarray, ndarray, ndarray, ndarray], colour: ndarray, planes: ndarray, nearest: ndarray
    ) -> None:
        """Paint a capsule, shaded by `_shade`, into the planes (3, h, w) of a box, in place.

        nearest: (h, w) depth buffer in metres, updated.
        """
        cover, depth, shade, gloss = shaded
        before = nearest - depth
        before *= np.float32(1 / self.blur)
        before += _HALF
        cover *= _share(before)
        np.copyto(nearest, depth, where=cover > _HALF)
        ink = shade * colour
        ink += gloss
        ink -= planes
        ink *= cover
        planes += ink

    def _shade(self, axes: ndarray, x: ndarray, y: ndarray) -> tuple[ndarray, ndarray, ndarray, ndarray]:
        """Coverage, depth in metres, brightness and gloss of a capsule at each pixel, (h, w) each.

        axes: the capsule's row of `_axes`; x: (w,) and y: (h, 1), of the pixels. Arrays are reused, which is faster.
        """
        x0, y0, dx, dy, length, scale, radius0, radius1, depth0, depth1 = axes
        x, y = x - x0, y - y0
        # In the capsule's own axes: along it, then beyond its nearer end, and across.
        beyond = x * dx + y * dy
        across = y * dx - x * dy
        share = np.minimum(np.maximum(beyond, _NONE), length)
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
    """Clip to 0..1, in place; as two ufuncs, which take less time than `clip` for small arrays."""
    return np.minimum(np.maximum(value, _NONE, out=value), _ALL, out=value)
