"""Times of a video's frames from the time stamps of its file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

# Rounding of time stamps in containers, in seconds: a rate that is even up to it counts as exact.
_ROUNDING = 1.1e-3
# Fraction of the time stamps that must increase for the stamps to be used.
_INCREASING = 0.9
# A pause is longer than both: seconds, and times the usual interval between frames.
_PAUSE_SECONDS, _PAUSE_INTERVALS = 1.0, 10.0


def increases(stamps: Float[ndarray, " f"]) -> bool:
    """Whether nearly all time stamps are known and later than all before them. stamps: NaN where unknown."""
    return len(stamps) > 0 and _increasing(stamps).mean() >= _INCREASING


def frame_times(stamps: Float[ndarray, " f"], fps: float) -> Float[ndarray, " f"]:
    """Increasing times in seconds, from time stamps (NaN where unknown); the first known stamp stays as it is.

    A stamp that is not later than all before it is replaced: its frame is spaced evenly between its neighbours, or at
    `fps` at the ends. Where more than one in ten is replaced, or the stamps are a rounded even rate, all frames are
    spaced at `fps`.
    """
    good = _increasing(stamps)
    frames = np.flatnonzero(good)
    number = np.arange(len(stamps))
    if not len(frames):
        return number / fps
    first = frames[0]
    even = stamps[first] + (number - first) / fps
    if len(frames) < 2 or good.mean() < _INCREASING or np.abs(stamps - even)[good].max() <= _ROUNDING:
        return even
    seconds = np.interp(number, frames, stamps[frames])
    return seconds + (np.minimum(number - first, 0) + np.maximum(number - frames[-1], 0)) / fps


def pauses(times: Float[ndarray, " f"]) -> Int[ndarray, " p"]:
    """Numbers of the frames that follow a pause: over a second, and ten times the usual interval, without a frame."""
    steps = np.diff(times)
    if not len(steps):
        return np.zeros(0, dtype=int)
    return np.flatnonzero(steps > max(_PAUSE_SECONDS, _PAUSE_INTERVALS * float(np.median(steps)))) + 1


def frame_rate(times: Float[ndarray, " f"], after_pause: Sequence[int] | ndarray, default: float) -> float:
    """Mean frames per second outside pauses; `default` where fewer than two frames are next to each other."""
    steps = np.delete(np.diff(times), np.asarray(after_pause, dtype=int) - 1)
    return len(steps) / float(steps.sum()) if len(steps) else default


def _increasing(stamps: Float[ndarray, " f"]) -> ndarray:
    """Which stamps are known and later than all before them."""
    known = np.where(np.isfinite(stamps), stamps, -np.inf)
    highest = np.maximum.accumulate(np.concatenate([[-np.inf], known]))[: len(stamps)]
    return known > highest
