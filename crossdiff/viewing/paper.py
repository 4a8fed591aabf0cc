"""A 2D motion drawn flat on squared paper."""

from __future__ import annotations

import cv2
import numpy as np
from numpy import ndarray

from crossdiff.errors import ClipError
from crossdiff.types import Motion2D
from crossdiff.viewing.camera import smooth_path
from crossdiff.viewing.encode import Image
from crossdiff.viewing.figure import bone_colour, side_colour
from crossdiff.viewing.palette import PAPER

_LINE = (232, 235, 240)
_CELL = 0.5  # metres
_SHIFT = 4


class Paper:
    """One 2D motion and the view of it, which follows the person."""

    def __init__(self, motion: Motion2D) -> None:
        self.skeleton = motion.skeleton
        self.joints = np.asarray(motion.joints, dtype=np.float64)
        self.valid = motion.valid & np.isfinite(self.joints).all(axis=-1)
        if not self.valid.any():
            raise ClipError("2D motion: no joint is valid in any frame, so there is nothing to draw; drop the clip")
        self.last = len(self.joints) - 1
        self.centre = smooth_path(self._middle(), motion.fps)
        distance = np.abs(self.joints - self.centre[:, None])[self.valid]
        self.extent = max(float(distance.max()), 0.2)  # half the picture's side, in metres, without margin
        # Depth is unknown in 2D; drawing the torso last keeps the figure readable.
        self.bones = sorted(self.skeleton.bones, key=lambda b: self.skeleton.joint_names[b[1]][:2] not in ("l_", "r_"))

    def _middle(self) -> ndarray:
        """(F, 2) centre of the valid joints' box, interpolated over frames without any."""
        visible = np.flatnonzero(self.valid.any(axis=1))
        boxes = [self.joints[f, self.valid[f]] for f in visible]
        middle = np.array([(box.min(axis=0) + box.max(axis=0)) / 2 for box in boxes])
        frames = np.arange(len(self.joints))
        return np.stack([np.interp(frames, visible, middle[:, axis]) for axis in (0, 1)], axis=-1)

    def draw(self, frame: int, size: int, extent: float) -> Image:
        """(size, size, 3) picture of one frame, `extent` metres from its middle to the edge of the drawing."""
        zoom = 0.43 * size / extent
        centre = self.centre[frame]
        canvas = _squared(size, centre, zoom)
        xy = (self.joints[frame] - centre) * (zoom, -zoom) + size / 2
        fixed = np.round(np.nan_to_num(xy) * 2**_SHIFT).astype(int)
        valid = self.valid[frame]
        names = self.skeleton.joint_names
        width = max(2, round(size / 60))
        for up, joint in self.bones:
            if valid[up] and valid[joint]:
                start, end = tuple(fixed[up].tolist()), tuple(fixed[joint].tolist())
                cv2.line(canvas, start, end, bone_colour(names[joint]), width, cv2.LINE_AA, _SHIFT)
        for joint in np.flatnonzero(valid):
            radius = width * (2.2 if names[joint] == "head" else 0.75)
            place, fine = tuple(fixed[joint].tolist()), round(radius * 2**_SHIFT)
            cv2.circle(canvas, place, fine, side_colour(names[joint]), -1, cv2.LINE_AA, _SHIFT)
            if names[joint] != "head":
                cv2.circle(canvas, place, fine // 2, (255, 255, 255), -1, cv2.LINE_AA, _SHIFT)
        return canvas


def _squared(size: int, centre: ndarray, zoom: float) -> Image:
    canvas = np.full((size, size, 3), PAPER, dtype=np.uint8)
    half = size / 2 / zoom
    cell = _CELL * 2 ** max(0, int(np.ceil(np.log2(half / 4 / _CELL))))
    for axis, sign in ((0, 1), (1, -1)):
        for step in np.arange(np.ceil((centre[axis] - half) / cell), (centre[axis] + half) / cell):
            at = round((size / 2 + sign * (step * cell - centre[axis]) * zoom) * 2**_SHIFT)
            edge = size << _SHIFT
            start, end = ((at, 0), (at, edge)) if axis == 0 else ((0, at), (edge, at))
            cv2.line(canvas, start, end, _LINE, 1, cv2.LINE_AA, _SHIFT)
    return canvas
