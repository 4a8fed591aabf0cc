"""Motion files to one video or picture: what `crossdiff render` does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from crossdiff.data.motion_files import caption_of, motion_files, read_motion
from crossdiff.errors import InputError
from crossdiff.types import Motion3D
from crossdiff.viewing.encode import Image
from crossdiff.viewing.gather import ShownMotions
from crossdiff.viewing.palette import PAPER
from crossdiff.viewing.stills import evenly_spaced, write_picture
from crossdiff.viewing.titles import title_band
from crossdiff.viewing.video import MotionView, check_motions, render_motion, side_by_side
from crossdiff.wording import counted

# Pixels along a panel. GIFs compress poorly, and moments are side by side.
SIZES = {".mp4": 480, ".gif": 320, ".png": 240}
_WIDEST = 8192  # pixels: players and browsers fail beyond this
MOMENTS = 6
_TITLE, _TIME = 1.6, 1.2  # font sizes relative to a video with panels of the same size
_FINER = 2  # supersampling, for smooth edges in stills


def render_files(
    paths: Sequence[Path], out: Path, titles: Sequence[str] = (), size: int | None = None, moments: int | None = None
) -> ShownMotions:
    """Render motion files, and all in folders, by the suffix of `out`: .mp4, .gif, or .png (moments on a sheet).

    titles: one for each motion; by default captions beside the files, else the files' names.
    size: pixels along a panel.
    moments: moments of each motion, for .png only.
    Unreadable files are listed in `failed`, and the others rendered; InputError if none can be, or if options conflict.
    """
    kind = out.suffix.lower()
    if kind not in SIZES:
        raise InputError(f"{out}: expected a name that ends in {', '.join(SIZES)}; change it")
    if moments is not None and kind != ".png":
        raise InputError(f"{out}: moments belong to a picture; name it .png, or leave them out")
    files = motion_files(paths)
    if titles and len(titles) != len(files):
        raise InputError(f"{counted(len(titles), 'title')} for {counted(len(files), 'motion')}; give one each, or none")
    summary = ShownMotions(out)
    named = zip(files, titles or [caption_of(file) or file.stem for file in files], strict=True)
    read = summary.gather([(str(file), partial(_titled, file, title)) for file, title in named])
    motions, shown = [motion for motion, _ in read], [title for _, title in read]
    size = SIZES[kind] if size is None else size
    moments = MOMENTS if moments is None else moments
    across = moments if kind == ".png" else len(motions)
    if across * size > _WIDEST:
        raise InputError(
            f"{out}: {across} panels of {size} pixels are wider than {_WIDEST}; take fewer, or smaller ones"
        )
    if kind == ".png":
        render_sheet(motions, out, shown, moments, size)
    else:
        render_motion(motions, out, shown, size)
    return summary


def _titled(file: Path, title: str) -> tuple[Motion3D, str]:
    return read_motion(file), title


def render_sheet(
    motions: Sequence[Motion3D], path: Path, titles: Sequence[str] = (), moments: int = 6, size: int = 240
) -> Path:
    """Write a picture of evenly spaced moments of each motion, from its first frame to its last.

    Each is `size` pixels square, below its time in seconds. All are drawn as in `render_motion`, at one scale; a
    motion of fewer frames than `moments` shows all of them.
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
    scene = view.scene(_FINER * size, distance)
    frames = evenly_spaced(len(view.joints), moments)
    pictures = [cv2.resize(view.draw(scene, n), (size, size), interpolation=cv2.INTER_AREA) for n in frames]
    return next(side_by_side(iter([pictures]), [f"{n / fps:.1f} s" for n in frames], size, _TIME))
