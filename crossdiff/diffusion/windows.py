"""Windows of a long motion: which frames the network sees at once, and how their predictions are blended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import InputError

# Seconds over which the predictions of neighbouring windows are blended.
BLEND_SECONDS = 1.0
# Frames that a window covers at least, where the motion is that long: the shortest clips of the training data.
_FEWEST = 40


@dataclass(frozen=True)
class Window:
    """A stretch of a motion that the network sees at once, under one text."""

    part: int
    """Index of the part whose text and guidance it has."""
    start: int
    """First frame."""
    weight: Float[ndarray, " t"]
    """Share of its prediction in each of its frames; the windows' shares of a frame add up to 1."""

    @property
    def stop(self) -> int:
        """The frame after the last one."""
        return self.start + len(self.weight)


def make_windows(lengths: Sequence[int], most: int, blend: int) -> list[Window]:
    """Windows over parts of these lengths, in frames, one after another.

    A part that fits is one window; longer parts are split evenly. Windows reach `blend` / 2 frames into their
    neighbours, where the shares change linearly, and further without a share if they would be very short. most: frames
    that the network takes.
    """
    if any(n < 1 for n in lengths):
        raise InputError(f"parts: expected at least one frame in each, got {min(lengths)}")
    total, reach = sum(lengths), min(blend // 2, (most - 1) // 4)
    if total <= most and len(lengths) == 1:
        return [Window(0, 0, np.ones(total))]
    windows = []
    sums = np.zeros(total)
    for part, start, stop in _own_stretches(lengths, most - 2 * reach):
        first, end = _extended(start - reach, stop + reach, total, min(_FEWEST, most))
        share = _trapezoid(start, stop, reach, total, np.arange(first, end))
        sums[first:end] += share
        windows.append(Window(part, first, share))
    return [Window(w.part, w.start, w.weight / sums[w.start : w.stop]) for w in windows]


def _own_stretches(lengths: Sequence[int], most: int) -> list[tuple[int, int, int]]:
    """(part, start, stop) of stretches of at most `most` frames that together cover the motion."""
    stretches = []
    start = 0
    for part, length in enumerate(lengths):
        count = -(-length // most)
        ends = [start + round(length * k / count) for k in range(count + 1)]
        stretches += [(part, a, b) for a, b in pairwise(ends)]
        start += length
    return stretches


def _extended(start: int, stop: int, total: int, fewest: int) -> tuple[int, int]:
    """The range within 0 to `total`, extended on both sides to `fewest` frames where the motion has as many."""
    start, stop = max(start, 0), min(stop, total)
    length = max(stop - start, min(fewest, total))
    start = min(max(0, start - (length - (stop - start)) // 2), total - length)
    return start, start + length


def _trapezoid(start: int, stop: int, reach: int, total: int, frames: ndarray) -> Float[ndarray, " t"]:
    """At the given frames: 1 within a stretch, falling linearly to 0 over 2 `reach` frames around each of its ends.

    The ends of the whole motion are not such ends.
    """
    inside = [np.ones(len(frames))]
    if start > 0:
        inside.append(frames + 0.5 - start)
    if stop < total:
        inside.append(stop - frames - 0.5)
    ramps = [(0.5 + distance / max(2 * reach, 1)).clip(0, 1) for distance in inside[1:]]
    return np.minimum.reduce([inside[0], *ramps])
