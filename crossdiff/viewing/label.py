"""A pseudo label with its sources, in step: the video, the 2D motion, the lifted figure from two sides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from crossdiff.types import Motion2D, Motion3D
from crossdiff.viewing.camera import view_axes
from crossdiff.viewing.encode import Image
from crossdiff.viewing.paper import Paper
from crossdiff.viewing.video import MotionView, side_by_side

_ELEVATION = np.radians(6)  # enough to see the floor; the fitted view has none
_FORWARD = np.array([0.0, 0.0, 1.0])
_LETTERS = 1.5  # several of these videos stand side by side on a page
_TITLES = (("video", "2D motion"), ("3D as the camera sees it", "3D from the side"))


def label_frames(
    source: Iterable[Image], flat: Motion2D, solid: Motion3D, yaw: float, size: int = 300
) -> Iterator[Image]:
    """Frames of two by two panels, each `size` pixels square below its title.

    source: a square picture of the video for each frame of `solid`.
    flat: 2D motion of at least as many frames.
    yaw: the camera's yaw about `solid` in degrees, from `fit_yaw`.
    """
    paper = Paper(flat)
    views = [MotionView(solid, axes_of_yaw(y)) for y in (yaw, yaw + 90.0)]
    distance = max(view.distance for view in views)
    scenes = [view.scene(size, distance) for view in views]
    frames = range(len(solid.joints))
    pictures = (cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA) for picture in source)
    above = ([picture, paper.draw(n, size, paper.extent)] for n, picture in zip(frames, pictures, strict=False))
    below = ([view.draw(scene, n) for view, scene in zip(views, scenes, strict=True)] for n in frames)
    rows = (side_by_side(row, titles, size, _LETTERS) for row, titles in zip((above, below), _TITLES, strict=True))
    return (np.concatenate(pair) for pair in zip(*rows, strict=False))


def axes_of_yaw(yaw: float) -> np.ndarray:
    """Right, up and forward of the camera of `project_orthographic` at this yaw (degrees), slightly elevated."""
    return view_axes(_FORWARD, -np.radians(yaw), _ELEVATION)
