"""Steps on the spot, made of steps that lead over the floor."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.representation.filters import smoothest_curve
from crossdiff.representation.foot_lock import legs, lock_feet
from crossdiff.representation.limbs import move_end, pelvis_facing
from crossdiff.skeleton import HUMANML3D, Skeleton

_SWAY = 0.3  # seconds below which the root moves on its own: its sway from step to step stays
# Share of the steps' length that is left of steps at this speed in metres per second and above; slower ones keep more.
_STRIDE, _FAST = 0.15, 0.6


def smooth_path(joints: Float[ndarray, "f 22 3"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "f 2"]:
    """x and z of the root without the sway of single steps, in metres."""
    weights = np.full(len(joints), (_SWAY * skeleton.fps) ** -4.0)
    return smoothest_curve(joints[:, 0, [0, 2]].astype(np.float64), weights)


def put_on_the_spot(joints: Float[ndarray, "f 22 3"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "f 22 3"]:
    """The motion without its path over the floor, in metres.

    The root's smoothed path is taken away, and each foot stays nearly under its hip in the direction in which the path
    led, at its height, by two-bone inverse kinematics; then feet are locked to the floor while they touch it.
    """
    path = smooth_path(joints, skeleton)
    step = np.gradient(path, axis=0) * skeleton.fps
    speed = np.linalg.norm(step, axis=-1, keepdims=True)
    ahead = np.insert(step / np.maximum(speed, 1e-6), 1, 0.0, axis=1)
    less = (1 - _STRIDE) * np.clip(speed / _FAST, 0, 1)
    still = joints.astype(np.float64)
    still[..., [0, 2]] -= (path - path[0])[:, None]
    facing = pelvis_facing(still, skeleton)
    for leg in legs(skeleton):
        stride = ((still[:, leg.end] - still[:, leg.start]) * ahead).sum(axis=-1, keepdims=True)
        move_end(still, leg, -less * stride * ahead, facing)
    return lock_feet(still, skeleton).astype(joints.dtype)
