"""Left-right swaps of a detector: which parts of the body are swapped in which frames.

A swap negates the vector d = left - right of a pair of keypoints and keeps its midpoint, so a detector shows

    y(t) = s(t) d(t) + noise,    s = -1 while the pair's part is swapped, else 1,

where d moves smoothly. The signs s of all parts are those with the least

    sum over frames and pairs of -log p(s y | signs and y before)
        + swap_cost for every change of signs + swap_cost_per_second for every second with swapped parts.

p is the prediction of a Kalman filter with constant velocity and white noise of acceleration, so the frame rate, uneven
steps and gaps only enter as seconds. It is a Student t, because detectors also fail completely.
The Viterbi algorithm searches for the minimum over the signs of all parts, with one set of filters per survivor
("per-survivor processing", Raheli, Polydoros and Tzou 1995): the filters are not part of the state, so the minimum is
not guaranteed.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from pydantic import NonNegativeFloat

from crossdiff.config import Config
from crossdiff.pipeline.motion2d.mapping import KeypointSet

# Keypoints that a detector swaps together. The upper body (first two parts), the lower, and all are one swap as well.
PARTS = (
    ("collar", "shoulder"),
    ("elbow", "wrist", "pinky", "index", "thumb"),
    ("hip",),
    ("knee", "ankle", "heel", "foot_index", "foot"),
)
_UPPER = 2  # parts of the upper body
_NOISE = 0.01  # standard deviation of d where a keypoint has score 1, in body sizes
_LEAST_SCORE = 1e-3  # below it a keypoint carries no information: its noise exceeds the body's size
_ACCELERATION = 20.0  # spectral density of the acceleration of d, in body sizes^2 / s^3
_SPEED = 2.0  # standard deviation of the velocity of d in the first frame, in body sizes / s
_FREEDOM = 3.0  # degrees of freedom of the Student t


class SwapConfig(Config):
    """Evidence needed to undo a left-right swap of the body or of a part of it."""

    swap_cost: NonNegativeFloat = 5.0
    """Log-likelihood that undoing a swap must gain at its start and again at its end; 0 leaves all swaps."""
    swap_cost_per_second: NonNegativeFloat = 3.0
    """Log-likelihood that it must gain per second of the swap."""


def pairs(table: KeypointSet) -> tuple[list[int], list[int], Int[ndarray, " p"]]:
    """Left keypoints of the set, their counterparts on the right, and the part that each pair belongs to."""
    numbered = [
        (table.names.index(f"left_{name}"), number)
        for number, part in enumerate(PARTS)
        for name in part
        if f"left_{name}" in table.names
    ]
    left = [k for k, _ in numbered]
    return left, [table.mirror[k] for k in left], np.array([number for _, number in numbered])


def swapped(
    left: Float[ndarray, "f p 2"],
    right: Float[ndarray, "f p 2"],
    score: Float[ndarray, "f p"],
    time: Float[ndarray, " f"],
    part: Int[ndarray, " p"],
    cfg: SwapConfig,
) -> Bool[ndarray, "f p"]:
    """Pairs of keypoints whose left and right are swapped.

    left, right: in body sizes; score: of the less certain of the two; time: seconds, increasing; part: of each pair.
    """
    signs = np.array(list(product((1.0, -1.0), repeat=len(PARTS))))
    changes = _changes(signs)
    minus = (signs < 0).astype(float)
    member = (part[:, None] == np.arange(len(PARTS))).astype(float)
    weight = score / np.maximum(1, (score @ member)[:, part])  # errors within a part are correlated: it counts once
    y, noise = left - right, _noise(left + right, score, time)
    # Before its first frame and after its last one a track counts as unswapped.
    total = cfg.swap_cost * changes[0]
    came_from = np.zeros((len(y), len(signs)), dtype=int)
    filters = _Filters(signs[:, part, None] * y[0], noise[0])
    for n in range(1, len(y)):
        step = time[n] - time[n - 1]
        filters.predict(step)
        as_is, other = (weight[n] * filters.surprise(z, noise[n]) @ member for z in (y[n], -y[n]))
        options = (
            total[:, None] + cfg.swap_cost * changes + as_is.sum(axis=1, keepdims=True) + (other - as_is) @ minus.T
        )
        came_from[n] = options.argmin(axis=0)
        total = options.min(axis=0) + cfg.swap_cost_per_second * step * changes[0]
        filters.keep(came_from[n])
        filters.correct(signs[:, part, None] * y[n], noise[n])
    state = int((total + cfg.swap_cost * changes[0]).argmin())
    path = np.zeros(len(y), dtype=int)
    for n in range(len(y) - 1, -1, -1):
        path[n], state = state, came_from[n, state]
    return signs[path][:, part] < 0


def _changes(signs: Float[ndarray, "s parts"]) -> Float[ndarray, "s s"]:
    """Number of swaps that lead from one set of signs to another."""
    differs = signs[:, None] != signs[None]
    upper, lower = differs[..., :_UPPER], differs[..., _UPPER:]
    apart = upper.any(axis=-1).astype(float) + lower.any(axis=-1)
    with_all = 1.0 + ~upper.all(axis=-1) + ~lower.all(axis=-1)
    return np.minimum(apart, with_all)


def _noise(
    double_middle: Float[ndarray, "f p 2"], score: Float[ndarray, "f p"], time: Float[ndarray, " f"]
) -> Float[ndarray, "f p"]:
    """Variance of the noise, from the scores and from the deviation of midpoints from a straight path.

    double_middle: left + right. A swap does not change it: if it jumps, the detection as a whole is poor.
    """
    noise = (_NOISE / np.maximum(score, _LEAST_SCORE)) ** 2
    if len(time) < 3:
        return noise
    steps = np.diff(time)
    share = (steps[:-1] / (steps[:-1] + steps[1:]))[:, None, None]
    middle = double_middle / 2
    bend = middle[1:-1] - middle[:-2] - share * (middle[2:] - middle[:-2])
    visible = score > _LEAST_SCORE
    bend = (bend**2).sum(axis=-1) * (visible[2:] & visible[1:-1] & visible[:-2])
    around = np.pad(bend, ((2, 2), (0, 0)))  # each frame is part of up to three bends: take the largest
    return noise + np.maximum(np.maximum(around[:-2], around[1:-1]), around[2:])


class _Filters:
    """Kalman filters of constant velocity: one for each survivor and pair of keypoints.

    The first positions, shape (s, p, 2), are in body sizes; noise: variances of the measurements, shape (p,).
    """

    def __init__(self, position: Float[ndarray, "s p 2"], noise: Float[ndarray, " p"]) -> None:
        self.position, self.velocity = position, np.zeros_like(position)
        self.pp = np.tile(noise, (len(position), 1))  # covariance of position and velocity, the same in x and y
        self.pv, self.vv = np.zeros_like(self.pp), np.full_like(self.pp, _SPEED**2)

    def predict(self, step: float) -> None:
        """Move the filters `step` seconds ahead."""
        self.position = self.position + step * self.velocity
        self.pp = self.pp + step * (2 * self.pv + step * self.vv) + _ACCELERATION * step**3 / 3
        self.pv = self.pv + step * self.vv + _ACCELERATION * step**2 / 2
        self.vv = self.vv + _ACCELERATION * step

    def surprise(self, measured: Float[ndarray, "*s p 2"], noise: Float[ndarray, " p"]) -> Float[ndarray, "s p"]:
        """-log of the Student t density of a measurement, without its constant."""
        variance = self.pp + noise
        distance = ((measured - self.position) ** 2).sum(axis=-1) / variance
        return np.log(variance) + (_FREEDOM + 2) / 2 * np.log1p(distance / _FREEDOM)

    def keep(self, survivors: Int[ndarray, " s"]) -> None:
        """Replace the filters by those of the survivors."""
        for name in ("position", "velocity", "pp", "pv", "vv"):
            setattr(self, name, getattr(self, name)[survivors])

    def correct(self, measured: Float[ndarray, "s p 2"], noise: Float[ndarray, " p"]) -> None:
        """Update with a measurement; the further off it is, the larger its noise is taken to be (Student t)."""
        error = measured - self.position
        distance = (error**2).sum(axis=-1) / (self.pp + noise)
        innovation = self.pp + noise * np.maximum(1, (_FREEDOM + distance) / (_FREEDOM + 2))
        gain, gain_v = self.pp / innovation, self.pv / innovation
        self.position = self.position + gain[..., None] * error
        self.velocity = self.velocity + gain_v[..., None] * error
        self.vv = self.vv - gain_v * self.pv
        self.pv = self.pv - gain * self.pv
        self.pp = self.pp - gain * self.pp
