"""Reads the clips of a run for the filter: their measures, and their signatures for the search for duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crossdiff.errors import ClipError, InputError
from crossdiff.pipeline.engines.mapping import map_clips
from crossdiff.pipeline.motion2d.duplicates import signature
from crossdiff.pipeline.motion2d.measures import measure
from crossdiff.pipeline.motion2d.window_search import Poses
from crossdiff.pipeline.run import Run


@dataclass(frozen=True)
class MeasuredClip:
    """Measures of a clip, rounded as in the ledger, so that a limit gives the same result on both."""

    measures: Mapping[str, float]
    poses: Poses | None = None
    """Its signature, if it was asked for."""
    error: str | None = None
    """Why it could not be read."""


def measure_clips(
    run: Run, clips: Sequence[str], seen_score: float, with_poses: bool, workers: int | None = 1
) -> Iterator[MeasuredClip]:
    """The measures of each clip, in order. seen_score: see `measure`; workers: see `map_clips`."""
    read = partial(_measure, run.root, seen_score=seen_score, with_poses=with_poses)
    return map_clips(read, clips, lambda _, error: MeasuredClip({}, error=error), workers)


def sign_clips(run: Run, clips: Sequence[str], workers: int | None = 1) -> Iterator[Poses | str]:
    """The signature of each clip, in order, or the error where it cannot be read."""
    return map_clips(partial(_sign, run.root), clips, lambda _, error: error, workers)


def _measure(root: Path, clip: str, seen_score: float, with_poses: bool) -> MeasuredClip:
    try:
        keypoints = Run(root).load_keypoints(clip)
        measures = measure(keypoints, seen_score)
    except (ClipError, InputError) as error:
        return MeasuredClip({}, error=str(error))
    rounded = {name: round(value, 4) for name, value in measures.items()}
    return MeasuredClip(rounded, signature(keypoints) if with_poses else None)


def _sign(root: Path, clip: str) -> Poses | str:
    try:
        return signature(Run(root).load_keypoints(clip))
    except (ClipError, InputError) as error:
        return str(error)
