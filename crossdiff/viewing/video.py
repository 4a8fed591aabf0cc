"""Videos of motions: 3D figures on a floor, several in step, and 2D skeletons on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import ClipError, InputError
from crossdiff.types import Motion2D, Motion3D
from crossdiff.viewing.camera import distance_to_hold, facing_of, smooth_path, view_axes
from crossdiff.viewing.encode import Image, write_video
from crossdiff.viewing.figure import Body, body_of, draw_figure
from crossdiff.viewing.paper import Paper
from crossdiff.viewing.stage import PAPER, Stage
from crossdiff.viewing.titles import title_band

_FURTHEST = 16.0  # metres per body size: a motion that flies apart is cut off rather than shown as a dot


def render_motion(motions: Sequence[Motion3D], path: Path, titles: Sequence[str] = (), size: int = 480) -> Path:
    """Write a video of motions side by side, in step, each `size` pixels square below its title.

    All are seen from three-quarters right of where they face first, at one scale; a shorter motion holds its last pose.
    """
    fps = _check([(len(m.joints), m.fps) for m in motions], titles, size)
    views = [MotionView(motion) for motion in motions]
    distance = max(view.distance for view in views)
    stages = [view.stage(size, distance) for view in views]
    length = max(len(motion.joints) for motion in motions)
    panels = (
        [view.draw(stage, min(n, view.last)) for view, stage in zip(views, stages, strict=True)]
        for n in range(length)
    )
    return write_video(side_by_side(panels, titles, size), path, fps)


def render_2d(motions: Sequence[Motion2D], path: Path, titles: Sequence[str] = (), size: int = 480) -> Path:
    """Write a video of 2D motions (metres, y up) side by side on paper; joints that are not valid are not drawn."""
    fps = _check([(len(m.joints), m.fps) for m in motions], titles, size)
    sheets = [Paper(motion) for motion in motions]
    extent = max(sheet.extent for sheet in sheets)
    length = max(len(motion.joints) for motion in motions)
    panels = ([sheet.draw(min(n, sheet.last), size, extent) for sheet in sheets] for n in range(length))
    return write_video(side_by_side(panels, titles, size), path, fps)


def _check(clips: Sequence[tuple[int, float]], titles: Sequence[str], size: int) -> float:
    """The common frame rate of (frames, fps) pairs that can be shown together."""
    if not clips:
        raise InputError("no motions to draw; give at least one")
    if titles and len(titles) != len(clips):
        raise InputError(f"{len(titles)} titles for {len(clips)} motions; give one each, or none")
    if size < 32:
        raise InputError(f"pictures of {size} pixels are too small to see anything; use 240 or more")
    if any(length == 0 for length, _ in clips):
        raise ClipError("a motion has no frames; drop the clip")
    rates = {round(fps, 6) for _, fps in clips}
    if len(rates) > 1:
        raise InputError(f"motions at {sorted(rates)} frames/s cannot run in step; resample them to one rate")
    return clips[0][1]


def side_by_side(panels: Iterator[list[Image]], titles: Sequence[str], size: int) -> Iterator[Image]:
    """Join square panels of each frame with a thin gap between them, below their titles."""
    gap = max(size // 60, 2)
    band: ndarray | None = None
    for row in panels:
        if band is None:
            # Each title is as wide as its panel and the gap after it; the last has none.
            widths = [size + gap] * (len(row) - 1) + [size]
            band = title_band(list(titles) or [""] * len(row), widths, size)
            blank = np.full((size, gap, 3), PAPER, dtype=np.uint8)
        parts = [part for panel in row for part in (panel, blank)][:-1]
        yield np.concatenate([band, np.concatenate(parts, axis=1)])


@dataclass(frozen=True)
class _Framing:
    """Where the camera of one motion goes: path (F, 2) x, z in metres; heights in metres; axes and distance."""

    path: Float[ndarray, "f 2"]
    axes: Float[ndarray, "3 3"]
    distance: float
    floor: float
    centre: float


class MotionView:
    """One motion with its figure and a camera from which all of it is seen."""

    def __init__(self, motion: Motion3D, axes: Float[ndarray, "3 3"] | None = None) -> None:
        self.joints = np.asarray(motion.joints, dtype=np.float64)
        self.last = len(self.joints) - 1
        self.body: Body = body_of(motion.skeleton, self.joints)
        self.framing = self._frame(motion, view_axes(facing_of(self.joints[0], motion.skeleton)) if axes is None else axes)

    @property
    def distance(self) -> float:
        return self.framing.distance

    def _frame(self, motion: Motion3D, axes: Float[ndarray, "3 3"]) -> _Framing:
        path = smooth_path(self.joints[:, 0, ::2], motion.fps)
        ends = np.stack([self.body.capsules(pose) for pose in self.joints])
        low, high = self.joints[..., 1].min() - self.body.foot_radius, self.joints[..., 1].max()
        ends[..., ::2] -= path[:, None, None]
        # Seen from above, the middle of the person is not the middle of the picture: take the best of a few heights.
        choices = []
        for centre in np.linspace(low, high, 13)[3:9]:
            choices.append((distance_to_hold(ends - (0, centre, 0), self.body.radii, axes), centre))
        distance, centre = min(choices)
        return _Framing(path, axes, min(distance, _FURTHEST * self.body.scale), low, centre)

    def stage(self, size: int, distance: float) -> Stage:
        return Stage(size, size, self.framing.axes, distance, self.framing.floor, self.framing.centre)

    def draw(self, stage: Stage, frame: int) -> Image:
        """The picture of one frame, (size, size, 3)."""
        camera = stage.camera(*self.framing.path[frame])
        joints = self.joints[frame]
        canvas = stage.draw_floor(camera)
        stage.draw_path(canvas, camera, self.joints[: frame + 1, 0, ::2])
        stage.draw_shadow(canvas, camera, self.body.capsules(joints), self.body.radii)
        draw_figure(canvas, camera, self.body, joints)
        return canvas
