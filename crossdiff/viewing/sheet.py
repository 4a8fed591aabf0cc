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
from crossdiff.viewing.stage import PAPER
from crossdiff.viewing.stills import evenly_spaced, write_picture
from crossdiff.viewing.titles import title_band
from crossdiff.viewing.video import MotionView, check_motions, side_by_side

_TITLE, _TIME = 1.6, 1.2  # sizes of letters beside those of a video whose panels are as large
_FINER = 2  # drawn larger and made smaller: the painter's edges are one pixel wide, and a still is looked at closely


def render_sheet(
    motions: Sequence[Motion3D], path: Path, titles: Sequence[str] = (), moments: int = 6, size: int = 240
) -> Path:
    """Write a picture of evenly spaced moments of each motion, from its first frame to its last.

    Each is `size` pixels square, below its time in seconds. All are seen as in `render_motion`, at one scale; a
    motion of fewer frames than `moments` shows them all.
    """
    check_motions([len(motion.joints) for motion in motions], titles, size)
    if moments < 1:
        raise InputError(f"{path}: {moments} moments to show; ask for one or more")
    views = [MotionView(motion) for motion in motions]
    distance = max(view.distance for view in views)
    rows = [_row(view, motion.fps, distance, moments, size) for view, motion in zip(views, motions, strict=True)]
    width = max(row.shape[1] for row in rows)
    parts: list[ndarray] = []
    for row, title in zip(rows, titles or [""] * len(rows), strict=True):
        blank = np.full((row.shape[0], width - row.shape[1], 3), PAPER, dtype=np.uint8)
        parts += [title_band([title], [width], round(_TITLE * size)), np.concatenate([row, blank], axis=1)]
    return write_picture(np.concatenate(parts), path)


def _row(view: MotionView, fps: float, distance: float, moments: int, size: int) -> Image:
    """Moments of one motion side by side, below their times."""
    stage = view.stage(_FINER * size, distance)
    frames = evenly_spaced(len(view.joints), moments)
    pictures = [cv2.resize(view.draw(stage, n), (size, size), interpolation=cv2.INTER_AREA) for n in frames]
    return next(side_by_side(iter([pictures]), [f"{n / fps:.1f} s" for n in frames], size, _TIME))
