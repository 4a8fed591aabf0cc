"""The surroundings of a figure: light background, fading floor grid, soft shadow, the path so far."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.viewing.camera import FOCAL, SceneCamera
from crossdiff.viewing.palette import FLOOR, GRID, PAPER, PATH, SHADOW

_CELL = 0.5  # metres between the lines of the grid
_SHIFT = 4  # bits of sub-pixel precision in OpenCV's drawing


class Scene:
    """The parts of a view that stay fixed while the camera follows: its distance and axes (metres), the floor's light.

    width, height: of the picture in pixels; floor: height of the floor in metres; centre: height that the camera
    looks at; focal: focal length in picture heights.
    """

    def __init__(
        self,
        width: int,
        height: int,
        axes: Float[ndarray, "3 3"],
        distance: float,
        floor: float,
        centre: float,
        focal: float = FOCAL,
    ) -> None:
        self.width, self.height, self.axes, self.focal = width, height, axes, focal
        self.distance, self.floor, self.centre = distance, floor, centre
        self.reach = 0.8 * distance  # beyond this the floor has faded out; nothing behind the camera is drawn

    def camera(self, x: float, z: float) -> SceneCamera:
        target = np.array([x, self.centre, z])
        return SceneCamera(target, self.distance, self.axes, self.width, self.height, self.focal * self.height)

    @cached_property
    def _fade(self) -> ndarray:
        """(H, W) uint8: visibility of the floor at each pixel, the same for every frame."""
        away = np.linalg.norm(self.camera(0.0, 0.0).floor_hits(self.floor), axis=-1)
        near = np.clip(1 - np.nan_to_num(away / self.reach, nan=1.0), 0, 1)
        return (255 * near * near * (3 - 2 * near)).astype(np.uint8)

    @cached_property
    def _top(self) -> int:
        """First row with a visible floor."""
        return int(np.argmax(self._fade.any(axis=1)))

    @cached_property
    def _paper(self) -> ndarray:
        share = self._fade[..., None] / 255
        return (np.array(PAPER) * (1 - share) + np.array(FLOOR) * share + 0.5).astype(np.uint8)

    def draw_floor(self, camera: SceneCamera) -> ndarray:
        """A new picture, (H, W, 3) uint8, with the world's grid on the floor."""
        canvas = self._paper.copy()
        x, _, z = camera.target
        lines = []
        for across in _steps(x, self.reach):
            lines.append([(across, self.floor, z - self.reach), (across, self.floor, z + self.reach)])
        for across in _steps(z, self.reach):
            lines.append([(x - self.reach, self.floor, across), (x + self.reach, self.floor, across)])
        self._ink(canvas, self._strokes(camera, np.array(lines), thickness=1), GRID)
        return canvas

    def draw_path(self, canvas: ndarray, camera: SceneCamera, path: Float[ndarray, "f 2"]) -> None:
        """Draw the root's path so far, world x and z in metres, on the floor, unless it has not moved."""
        if np.ptp(path, axis=0).max() < _CELL / 2:
            return
        near = path[np.linalg.norm(path - camera.target[[0, 2]], axis=-1) < self.reach]
        if len(near) > 1:
            points = np.stack([near[:, 0], np.full(len(near), self.floor), near[:, 1]], axis=-1)
            self._ink(canvas, self._strokes(camera, points[None], thickness=max(2, self.height // 160)), PATH)

    def draw_shadow(
        self, canvas: ndarray, camera: SceneCamera, ends: Float[ndarray, "n 2 3"], radii: Float[ndarray, "n 2"]
    ) -> None:
        """Draw a soft shadow of capsules, lit slightly from the side; it fades with the height above the floor."""
        quarter = 4
        rows = self.height - self._top
        mask = np.zeros((rows // quarter + 1, self.width // quarter + 1), dtype=np.uint8)
        height = np.maximum(ends[..., 1] - self.floor, 0)
        ground = ends.copy()
        ground[..., 1] = self.floor
        ground += 0.16 * height[..., None] * self.axes[0] * (1, 0, 1)
        xy, depth = camera.project(ground)
        fixed = _fixed((xy - (0, self._top)) / quarter, camera)
        thickness = np.maximum(2 * radii.mean(axis=1) * camera.focal / np.maximum(depth.mean(axis=1), 0.1) / quarter, 1)
        strength = 255 * np.exp(-0.75 * height.mean(axis=1))
        for n in np.argsort(strength):
            (start, end), width = fixed[n].tolist(), int(min(thickness[n] + 0.5, 255))
            cv2.line(mask, start, end, int(strength[n]), width, cv2.LINE_AA, _SHIFT)
        reach = 2 * max(round(self.height / quarter / 27), 1) + 1
        mask = cv2.stackBlur(mask, (reach, reach))
        soft = cv2.resize(mask, (mask.shape[1] * quarter, mask.shape[0] * quarter), interpolation=cv2.INTER_LINEAR)
        self._ink(canvas, soft[:rows, : self.width], SHADOW)

    def _strokes(self, camera: SceneCamera, lines: Float[ndarray, "n p 3"], thickness: int) -> ndarray:
        mask = np.zeros((self.height - self._top, self.width), dtype=np.uint8)
        points = _fixed(camera.project(lines)[0] - (0, self._top), camera)
        cv2.polylines(mask, list(points), False, 255, thickness, cv2.LINE_AA, _SHIFT)
        return mask

    def _ink(self, canvas: ndarray, mask: ndarray, colour: tuple[int, int, int]) -> None:
        """Darken by `mask`, which covers the floor's rows, where the floor is visible, in place."""
        floor = canvas[self._top :]
        amount = cv2.multiply(mask, self._fade[self._top :], scale=1 / 255)
        taken = [cv2.convertScaleAbs(amount, alpha=(255 - part) / 255) for part in colour]
        cv2.subtract(floor, cv2.merge(taken), dst=floor)


def _steps(centre: float, reach: float) -> ndarray:
    """Positions of the grid's lines around `centre`, in metres; fewer where the view is very wide."""
    cell = _CELL * 2 ** max(0, int(np.ceil(np.log2(reach / 8 / _CELL) - 1)))
    return np.arange(np.ceil((centre - reach) / cell), np.floor((centre + reach) / cell) + 1) * cell


def _fixed(xy: ndarray, camera: SceneCamera) -> ndarray:
    """Pixels as OpenCV's fixed-point integers, clipped so that they cannot overflow."""
    limit = 8 * max(camera.width, camera.height)
    return np.round(np.clip(xy - 0.5, -limit, limit) * 2**_SHIFT).astype(np.int32)
