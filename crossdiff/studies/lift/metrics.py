"""Errors of lifted motion per frame, and their means with intervals over clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from crossdiff.config import Config
from crossdiff.representation.alignment import aligned
from crossdiff.representation.features3d import canonicalise
from crossdiff.skeleton import HUMANML3D, Skeleton


@dataclass(frozen=True)
class Metric:
    """A metric, of which lower is better; what: its definition, in one sentence."""

    title: str
    unit: str
    digits: int
    what: str


METRICS = {
    "mpjpe": Metric(
        "MPJPE",
        "mm",
        1,
        "mean distance of the joints but the root, root on root, both motions turned so that frame 0 faces +Z",
    ),
    "mpjpe_own_heading": Metric(
        "MPJPE, own heading", "mm", 1, "the same with every frame turned so that it faces +Z: the pose without heading"
    ),
    "pa_mpjpe": Metric(
        "PA-MPJPE", "mm", 1, "mean distance of all joints after the best rotation, shift and scale of every frame"
    ),
    "acceleration": Metric(
        "Acceleration", "m/s²", 2, "mean distance of the second differences of what MPJPE compares, times fps squared"
    ),
    "path": Metric(
        "Path", "m", 3, "mean distance over the floor of the roots, from paths that begin at one place and heading"
    ),
}


@dataclass(frozen=True)
class Totals:
    """For each clip, the sum of its frames' errors and their number (0 for a lost clip)."""

    sums: Float[ndarray, " n"]
    counts: Float[ndarray, " n"]

    def means(self, times: Float[ndarray, "b n"]) -> Float[ndarray, " b"]:
        """The mean over frames with each clip repeated `times`; NaN without any frame."""
        total = times @ self.counts
        return np.where(total > 0, (times @ self.sums) / np.maximum(total, 1), np.nan)


class Estimate(Config):
    """A mean over frames, and its 95 % interval: percentiles over bootstrap draws of the clips.

    median: median over clips of each clip's mean.
    """

    mean: float
    median: float
    low: float
    high: float

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2

    @classmethod
    def of(cls, totals: Totals, draws: int, seed: int, beside: Totals | None = None) -> Self:
        """beside: measure the difference to these totals, with the same draws of clips."""
        clips = len(totals.counts)
        drawn = np.random.default_rng(seed).multinomial(clips, np.full(clips, 1 / clips), size=draws)
        times = np.concatenate([np.ones((1, clips)), drawn])
        means = totals.means(times) - (0 if beside is None else beside.means(times))
        low, high = np.nanpercentile(means[1:], [2.5, 97.5])
        each = totals.means(np.eye(clips)) - (0 if beside is None else beside.means(np.eye(clips)))
        return cls(mean=float(means[0]), median=float(np.nanmedian(each)), low=float(low), high=float(high))


def errors(
    predicted: Float[Tensor, "t j 3"], true: Float[Tensor, "t j 3"], skeleton: Skeleton = HUMANML3D
) -> dict[str, Float[ndarray, " n"]]:
    """Each metric (a key of `METRICS`) at each frame of a clip; accelerations at all but the first and the last.

    Both motions: the same frames, metres, Y up, any position and heading.
    """
    ours, theirs = (canonicalise(joints.double(), skeleton) for joints in (predicted, true))
    local, true_local = _about_root(ours), _about_root(theirs)
    acceleration = skeleton.fps**2 * _distance(_bend(local), _bend(true_local))
    found = {
        "mpjpe": 1000 * _distance(local, true_local),
        "mpjpe_own_heading": 1000 * _distance(_ahead(ours, skeleton), _ahead(theirs, skeleton)),
        "pa_mpjpe": 1000 * (aligned(ours, theirs) - theirs).norm(dim=-1).mean(-1),
        "acceleration": acceleration,
        "path": (ours - theirs)[:, 0, [0, 2]].norm(dim=-1),
    }
    return {name: values.numpy() for name, values in found.items()}


def _ahead(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Every frame relative to its root, facing +Z."""
    return _about_root(canonicalise(joints[:, None], skeleton)[:, 0])


def _about_root(joints: Tensor) -> Tensor:
    return joints - joints[..., :1, :]


def _bend(x: Tensor) -> Tensor:
    return x[2:] - 2 * x[1:-1] + x[:-2]


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean over the joints but the root, which lies at the origin of both."""
    return (a - b)[..., 1:, :].norm(dim=-1).mean(-1)
