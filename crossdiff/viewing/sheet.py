"""Moments of motions as one picture: a row for each motion, below its title, each moment with its time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.types import Motion3D
from crossdiff.viewing.encode import Image
from crossdiff.viewing.stage import PAPER, Stage
from crossdiff.viewing.stills import evenly_spaced, write_picture
from crossdiff.viewing.titles import title_band
from crossdiff.viewing.video import MotionView, check_motions

_TITLE, _TIME = 1.25, 0.9  # sizes of letters beside those of a video whose panels are as large
_FINER = 2  # drawn larger and made smaller: the painter's edges are one pixel wide, and a still is looked at closely


def render_sheet(
    motions: Sequence[Motion3D], path: Path, titles: Sequence[str] = (), moments: int = 6, size: int = 240
) -> Path:
    """Write a picture of evenly spaced moments of each motion, from its first frame to its last.

    Each is `size` pixels square, with its time in seconds below. All are seen as in `render_motion`, at one scale; a
    motion of fewer frames than `moments` shows them all.
    """
    check_motions([len(motion.joints) for motion in motions], titles, size)
    if moments < 1:
        raise InputError(f"{path}: {moments} moments to show; ask for one or more")
    views = [MotionView(motion) for motion in motions]
    distance = max(view.distance for view in views)
    numbers = [evenly_spaced(len(motion.joints), moments) for motion in motions]
    columns = max(map(len, numbers))
    parts = []
    for view, motion, chosen, title in zip(views, motions, numbers, titles or [""] * len(motions), strict=True):
        stage = view.stage(_FINER * size, distance)
        row = _row(view, stage, chosen, motion.fps, size)
        blank = np.full((row.shape[0], (columns - len(chosen)) * size, 3), PAPER, dtype=np.uint8)
        parts += [title_band([title], [columns * size], round(_TITLE * size)), np.concatenate([row, blank], axis=1)]
    return write_picture(np.concatenate(parts), path)


def _row(view: MotionView, stage: Stage, chosen: Sequence[int], fps: float, size: int) -> ndarray:
    """The chosen frames side by side above their times."""
    pictures: list[Image] = [
        cv2.resize(view.draw(stage, frame), (size, size), interpolation=cv2.INTER_AREA) for frame in chosen
    ]
    times = title_band([f"{frame / fps:.1f} s" for frame in chosen], [size] * len(chosen), round(_TIME * size))
    return np.concatenate([np.concatenate(pictures, axis=1), times])
