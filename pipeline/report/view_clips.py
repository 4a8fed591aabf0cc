"""Pseudo labels of a run for the interactive page, each beside the video that it was lifted from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crossdiff.data.motion_files import first_caption, read_motion
from crossdiff.errors import InputError
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.report.pictures import Drawer
from crossdiff.pipeline.run import Run
from crossdiff.types import Motion2D
from crossdiff.viewing.player.data import Shown

log = logging.getLogger(__name__)

_PICTURE = 320  # pixels along a picture of the video: sharp on a phone, some kilobytes each


def run_of(label: Path) -> Run | None:
    """The run that contains the file of a pseudo label; None if none does."""
    root = label.absolute().parent.parent
    run = Run(root)
    inside = label.absolute().parent in (run.pseudo3d.absolute(), run.pseudo3d_filtered.absolute())
    return run if inside and (root / "ledger.sqlite").is_file() else None


def labels_named(run: Run, names: Sequence[str], most: int) -> list[str]:
    """Names of labels, from names of clips or labels; without any, the best labels, at most `most`.

    Unknown names are kept, so that showing them reports the error.
    """
    rows = run.ledger.rows("pseudo")
    if not names:
        measured = [row for row in rows if row.state == "done"]
        if not measured:
            raise InputError(f"{run.root}: no pseudo labels to show; run crossdiff pseudo-label {run.root}")
        best = sorted(measured, key=lambda row: (-row.measures.get("quality", 0.0), row.id))
        return [row.id for row in best[:most]]
    labels: list[str] = []
    for name in names:
        labels += [row.id for row in rows if name in (row.id, row.parent)] or [name]
    return list(dict.fromkeys(labels))


def show_label(run: Run, name: str) -> Shown:
    """A label with its caption, its camera and its video with the keypoints, on grey if the video is gone."""
    path = run.find_label(name)
    row = run.ledger.get("pseudo", name)
    if row is None:
        raise InputError(f"{path}: not in the ledger of {run.root}; run crossdiff pseudo-label {run.root}")
    motion = read_motion(path)
    flat = Motion2D.load(run.motion2d / f"{name}.npz")
    keypoints = run.load_keypoints(row.parent)
    drawer = Drawer(run, run.ledger.videos(), run.root)
    times = flat.start + np.arange(len(motion.joints)) / motion.fps
    pictures = list(drawer.person_frames(_video_of(run, row), keypoints, times, _PICTURE))
    if len(pictures) < len(times):
        log.warning("%s: the video ends before its label; the last picture is repeated", name)
        pictures += pictures[-1:] * (len(times) - len(pictures))
    caption = first_caption(run.texts / f"{name}.txt")
    return Shown(motion, caption, name, row.measures.get("yaw"), pictures)


def _video_of(run: Run, row: Row) -> str:
    clip = run.ledger.get("filter", row.parent)
    return clip.parent if clip is not None else ""
