"""Videos of motions: 3D figures on a floor, several in step, and 2D skeletons on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from crossdiff.errors import ClipError, InputError
from crossdiff.types import Motion2D, Motion3D
from crossdiff.viewing.camera import distance_to_hold, facing_of, smooth_path, view_axes
from crossdiff.viewing.encode import Image, write_video
from crossdiff.viewing.figure import body_of, draw_figure
from crossdiff.viewing.overlay import render_overlay
from crossdiff.viewing.palette import PAPER
from crossdiff.viewing.paper import Paper
from crossdiff.viewing.scene import Scene
from crossdiff.viewing.stills import contact_sheet, motion_strip
from crossdiff.viewing.titles import title_band

__all__ = ["contact_sheet", "motion_strip", "render_2d", "render_motion", "render_overlay", "write_video"]

_FURTHEST = 16.0  # metres per body size: a diverging motion is cropped rather than shown as a dot


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run OpenCV single-threaded: faster for small frames, and it leaves a core to the encoder."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@_one_thread()
def render_motion(motions: Sequence[Motion3D], path: Path, titles: Sequence[str] = (), size: int = 480) -> Path:
    """Write a video (.mp4, or .gif) of motions side by side, in step, each `size` pixels square below its title.

    The view is three-quarters right of where they first face, at one scale; shorter motions hold their last pose.
    """
    check_motions([len(motion.joints) for motion in motions], titles, size)
    fps = _common_rate([motion.fps for motion in motions])
    views = [MotionView(motion) for motion in motions]
    distance = max(view.distance for view in views)
    scenes = [view.scene(size, distance) for view in views]
    length = max(len(motion.joints) for motion in motions)
    panels = (
        [view.draw(scene, min(n, view.last)) for view, scene in zip(views, scenes, strict=True)] for n in range(length)
    )
    return write_video(side_by_side(panels, titles, size), path, fps)


@_one_thread()
def render_2d(motions: Sequence[Motion2D], path: Path, titles: Sequence[str] = (), size: int = 480) -> Path:
    """Write a video of 2D motions (metres, y up) side by side on paper; invalid joints are not drawn."""
    check_motions([len(motion.joints) for motion in motions], titles, size)
    fps = _common_rate([motion.fps for motion in motions])
    sheets = [Paper(motion) for motion in motions]
    extent = max(sheet.extent for sheet in sheets)
    length = max(len(motion.joints) for motion in motions)
    panels = ([sheet.draw(min(n, sheet.last), size, extent) for sheet in sheets] for n in range(length))
    return write_video(side_by_side(panels, titles, size), path, fps)


def check_motions(lengths: Sequence[int], titles: Sequence[str], size: int) -> None:
    """InputError or ClipError if motions of these lengths cannot be drawn with these titles."""
    if not lengths:
        raise InputError("no motions to draw; give at least one")
    if titles and len(titles) != len(lengths):
        raise InputError(f"{len(titles)} titles for {len(lengths)} motions; give one each, or none")
    if size < 32:
        raise InputError(f"pictures of {size} pixels are too small to see anything; use 240 or more")
    if 0 in lengths:
        raise ClipError("a motion has no frames; drop the clip")


def _common_rate(rates: Sequence[float]) -> float:
    """The frame rate of motions that are shown in step."""
    if len({round(fps, 6) for fps in rates}) > 1:
        different = sorted({round(fps, 6) for fps in rates})
        raise InputError(f"motions at {different} frames/s cannot run in step; resample them to one rate")
    return rates[0]


def side_by_side(
    panels: Iterator[list[Image]], titles: Sequence[str], size: int, letters: float = 1.0
) -> Iterator[Image]:
    """Join square panels of each frame with a thin gap between them, below their titles (`letters` times as large)."""
    gap = max(size // 60, 2)
    band: ndarray | None = None
    for row in panels:
        if band is None:
            # A title spans its panel and the gap after it, but for the last.
            widths = [size + gap] * (len(row) - 1) + [size]
            band = title_band(list(titles) or [""] * len(row), widths, round(letters * size))
            blank = np.full((size, gap, 3), PAPER, dtype=np.uint8)
        parts = [part for panel in row for part in (panel, blank)][:-1]
        yield np.concatenate([band, np.concatenate(parts, axis=1)])


class MotionView:
    """One motion with its figure and a camera that follows it: path (F, 2), x and z in metres; heights in metres.

    axes: of the camera, from `view_axes`; by default three-quarters right of the person.
    distance: the smallest that keeps the figure in the picture in every frame.
    """

    def __init__(self, motion: Motion3D, axes: ndarray | None = None) -> None:
        self.joints = np.asarray(motion.joints, dtype=np.float64)
        self.last = len(self.joints) - 1
        self.body = body_of(motion.skeleton, self.joints)
        self.axes = view_axes(facing_of(self.joints[0], motion.skeleton)) if axes is None else axes
        self.path = smooth_path(self.joints[:, 0, ::2], motion.fps)
        self.floor = float(self.joints[..., 1].min() - self.body.foot_radius)
        self.distance, self.centre = self._frame()

    def _frame(self) -> tuple[float, float]:
        """Distance of the camera and height of its target, which is not the person's middle for a raised camera."""
        ends = np.stack([self.body.capsules(pose) for pose in self.joints])
        ends[..., ::2] -= self.path[:, None, None]
        heights = np.linspace(self.floor, self.joints[..., 1].max(), 13)[3:9].tolist()
        distances = [distance_to_hold(ends - (0, height, 0), self.body.radii, self.axes) for height in heights]
        distance, centre = min(zip(distances, heights, strict=True))
        return min(distance, _FURTHEST * self.body.scale), centre

    def scene(self, size: int, distance: float) -> Scene:
        return Scene(size, size, self.axes, distance, self.floor, self.centre)

    def draw(self, scene: Scene, frame: int) -> Image:
        """The picture of one frame, (size, size, 3)."""
        camera = scene.camera(*self.path[frame])
        joints = self.joints[frame]
        canvas = scene.draw_floor(camera)
        scene.draw_path(canvas, camera, self.joints[: frame + 1, 0, ::2])
        scene.draw_shadow(canvas, camera, self.body.capsules(joints), self.body.radii)
        draw_figure(canvas, camera, self.body, joints)
        return canvas
