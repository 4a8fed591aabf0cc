"""Errors of estimated joints of a filmed person, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from crossdiff.representation.alignment import aligned, best_turn
from crossdiff.representation.projection import rotate_y, turn_to_up
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.film.folder import FilmVideo
from crossdiff.studies.lift.metrics import Metric

# Metres of true depth over which a limb counts as deep.
_DEEP = 0.1
MEASURES = {
    "pa_mpjpe": Metric(
        "PA-MPJPE", "mm", 1, "mean distance of the joints but the pelvis after the best rotation, shift and scale of "
        "every frame"
    ),
    "yaw": Metric(
        "Yaw", "mm", 1, "mean distance of the same joints, root on root, after one rotation about the vertical and one "
        "scale per clip; a detector's own 3D and 2D lean with the camera, so that its tilt counts"
    ),
    "rotation": Metric("Rotation", "mm", 1, "their mean distance after one free rotation and one scale per clip"),
    "across": Metric("Across", "mm", 1, "mean absolute error along the picture's two axes, after the free rotation"),
    "depth": Metric("Depth", "mm", 1, "mean absolute error along the camera's axis, after the free rotation"),
    "wrong": Metric(
        "Wrong", "%", 1, "limbs with over 10 cm between the true depths of their ends that point the other way, after "
        "the free rotation"
    ),
    "acceleration": Metric(
        "Acceleration", "m/s²", 2, "mean distance of the second differences, after the free rotation, times fps squared"
    ),
}  # fmt: skip

# Each frame's or limb's errors, by the keys of `MEASURES`; the mean of an array is the measure.
Errors = dict[str, Float[ndarray, " n"]]


def pa_errors(video: FilmVideo, joints: Float[ndarray, "t j 3"], times: Float[ndarray, " t"]) -> Float[ndarray, " t"]:
    """PA-MPJPE of each frame, mm. joints: those of the truth, at these times, in any axes and unit."""
    predicted, true = _both(joints[:, video.compared], video.truth.at(times)[:, video.compared])
    return (1000 * (aligned(predicted, true) - true).norm(dim=-1).mean(-1)).numpy()


def clip_errors(video: FilmVideo, joints: Float[ndarray, "t j 3"], times: Float[ndarray, " t"]) -> Errors:
    """Errors of one clip. joints: those of the truth, y up, in any unit; times: seconds, T of 20 a second or fewer."""
    predicted, true = _both(joints, video.truth.at(times))
    predicted, true = (x - x[:, video.root].mean(1, keepdim=True) for x in (predicted, true))
    level = true @ turn_to_up(torch.from_numpy(video.up)).T
    compared, points = video.compared, predicted[:, video.compared].flatten(0, 1)
    turn, scale = best_turn(points, true[:, compared].flatten(0, 1))
    turned = scale * predicted @ turn
    off = (turned - true)[:, compared]
    upright = _best_yaw(points, level[:, compared].flatten(0, 1)).unflatten(0, off.shape[:2])
    bent = (_bend(turned) - _bend(true))[_even(times)][:, compared]
    found = {
        "pa_mpjpe": torch.from_numpy(pa_errors(video, joints, times)),
        "yaw": 1000 * (upright - level[:, compared]).norm(dim=-1).mean(-1),
        "rotation": 1000 * off.norm(dim=-1).mean(-1),
        "across": 1000 * off[..., :2].abs().mean((1, 2)),
        "depth": 1000 * off[..., 2].abs().mean(1),
        "wrong": 100 * _points_away(turned[..., 2], true[..., 2], video.limbs).double(),
        "acceleration": HUMANML3D.fps**2 * bent.norm(dim=-1).mean(-1),
    }
    return {name: values.numpy() for name, values in found.items()}


def _both(a: ndarray, b: ndarray) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(a).double(), torch.from_numpy(b).double()


def _best_yaw(points: Float[Tensor, "n 3"], targets: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """The points after the rotation about Y and the scale that bring them nearest to the targets."""
    (x, _, z), (u, _, w) = points.unbind(-1), targets.unbind(-1)
    turned = rotate_y(points, torch.rad2deg(torch.atan2((x * w - z * u).sum(), (x * u + z * w).sum())))
    return (turned * targets).sum() / points.square().sum().clamp_min(1e-12) * turned


def _bend(x: Tensor) -> Tensor:
    return x[2:] - 2 * x[1:-1] + x[:-2]


def _even(times: Float[ndarray, " t"]) -> Tensor:
    """Which frames, but the first and the last, have both their neighbours a frame away."""
    step = 1 / HUMANML3D.fps
    return torch.from_numpy((abs(np.diff(times)[:-1] - step) < 1e-6) & (abs(np.diff(times)[1:] - step) < 1e-6))


def _points_away(depth: Float[Tensor, "t j"], true: Float[Tensor, "t j"], limbs: Sequence[tuple[int, int]]) -> Tensor:
    """For every deep limb of every frame whether it points the other way."""
    if not limbs:
        return torch.zeros(0, dtype=torch.bool)
    start, end = (list(rows) for rows in zip(*limbs, strict=True))
    ours, theirs = (x[:, end] - x[:, start] for x in (depth, true))
    return (ours * theirs < 0)[theirs.abs() > _DEEP]
