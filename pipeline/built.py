"""The files and rows of built clips: written so that a killed process leaves no file that no row is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossdiff.files import write_bytes, write_text
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.run import Run

# Clips that share the ledger's transactions, which would take most of the time of a small clip.
_TOGETHER = 16


@dataclass(frozen=True)
class BuiltClip:
    """What was built from a clip."""

    clip: str
    rows: Sequence[Row]
    """One for each motion, or one that says why there is none."""
    files: Sequence[tuple[bytes, bytes, str]] = ()
    """Contents of each motion's files, see `motion_files`."""


def write_clips(run: Run, built: Iterable[BuiltClip], old: Mapping[str, Sequence[Row]]) -> Iterator[BuiltClip]:
    """Write what was built, and yield each clip, in the same order, when it is in the ledger.

    old: earlier rows by clip. Clips that have some are written one by one: all that share a transaction are built again
    if the process is killed in between.
    """
    together: list[BuiltClip] = []
    for clip in built:
        if clip.clip in old or len(together) == _TOGETHER:
            yield from _write(run, together, old)
            together = []
        together.append(clip)
        if clip.clip in old:
            yield from _write(run, together, old)
            together = []
    yield from _write(run, together, old)


def _write(run: Run, clips: Sequence[BuiltClip], old: Mapping[str, Sequence[Row]]) -> Sequence[BuiltClip]:
    before = {row.id: clip.clip for clip in clips for row in old.get(clip.clip, ())}
    new = {row.id: clip.clip for clip in clips if clip.files for row in clip.rows}
    parents = [clip.clip for clip in clips if clip.clip in old]
    interrupted = [
        Row("build", name, "failed", "", clip, reason="interrupted; run build-2d again")
        for name, clip in (before | new).items()
    ]
    run.ledger.put(interrupted, replace=("build", parents))
    run.drop_labels((before | new).keys())
    remove_motions(run, before.keys() - new.keys())
    for clip in clips:
        # A clip without a motion has a row and no files.
        for row, (motion, features, captions) in zip(clip.rows, clip.files, strict=False):
            motion_path, features_path, captions_path = motion_files(run, row.id)
            write_bytes(motion_path, motion)
            write_bytes(features_path, features)
            write_text(captions_path, captions)
    run.ledger.put([row for clip in clips for row in clip.rows], replace=("build", parents))
    return clips


def motion_files(run: Run, name: str) -> tuple[Path, Path, Path]:
    """Motion, features and captions of a motion."""
    return run.motion2d / f"{name}.npz", run.features2d / f"{name}.npz", run.texts / f"{name}.txt"


def remove_motions(run: Run, names: Iterable[str]) -> None:
    """Delete the files of motions."""
    for name in names:
        for path in motion_files(run, name):
            path.unlink(missing_ok=True)
