"""What motion of people can be: frame rates, and the size and proportions of the body; all else is refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import ClipError
from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import Skeleton

# Frames per second. Milliseconds taken for seconds give less.
FRAME_RATES = (1.0, 10_000.0)
# Lengths of thigh and shin together, in metres.
LEG_LENGTHS = (0.1, 3.0)
# Metres from the origin beyond which no recording goes.
FARTHEST = 1e5
# Bones shorter than this fraction of the leg have no direction.
_NO_LENGTH = 0.005
# Median deviation from 1 of the lengths of rotations' axes: 0 in features of motion; 0.32 or more in 300 clips of
# normalised ones.
_NOT_UNIT = 0.25


def check_frame_rate(fps: float) -> None:
    """ClipError for a rate at which no motion is recorded, such as that of a frame time in milliseconds."""
    low, high = FRAME_RATES
    if not low < fps <= high:
        raise ClipError(
            f"{fps:.3g} frames a second, expected {low:g} to {high:g}; a time between frames is given in seconds, "
            "not milliseconds"
        )


def check_joints(joints: Float[ndarray, "f j 3"]) -> None:
    """ClipError for joints that are NaN, infinite, or farther than 100 km from the origin, naming the frame."""
    near = (np.abs(joints) <= FARTHEST).all(axis=(1, 2))  # False for NaN
    if not near.all():
        frame = int(np.argmin(near))
        what = "a joint 100 km away" if np.isfinite(joints[frame]).all() else "NaN or infinite joints"
        raise ClipError(f"frame {frame + 1} of {len(joints)} has {what}")


def leg_lengths(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> Float[ndarray, " f"]:
    """Length of thigh and shin in each frame, in the joints' unit."""
    up, down = [skeleton.parents[joint] for joint in skeleton.scaling], list(skeleton.scaling)
    return np.linalg.norm(joints[:, down] - joints[:, up], axis=-1).sum(axis=1)


def check_leg(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> None:
    """ClipError for a body that is not of a person's size. joints: metres, one frame or more."""
    leg = float(np.median(leg_lengths(joints, skeleton)))
    if not LEG_LENGTHS[0] < leg < LEG_LENGTHS[1]:
        raise ClipError(f"a leg is {leg:.3g} m long; joints must be in metres, features not normalised")


def check_not_normalised(features: Float[ndarray, "f d"], skeleton: Skeleton) -> None:
    """ClipError for normalised features, by the axes of their rotations, which are unit vectors in others."""
    axes = features[:, layout_3d(skeleton).rotations].reshape(len(features), -1, 3)
    length = float(np.median(np.abs(np.linalg.norm(axes.astype(np.float64), axis=-1) - 1)))
    if not length < _NOT_UNIT:
        raise ClipError(
            f"the axes of its rotations differ from unit vectors by {length:.2g}; features must not be normalised: "
            "give feature * std + mean"
        )


def bones_without_length(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> list[int]:
    """The joints at which bones end that have no length, so that no rotation can be read from them.

    joints: one frame or more. ClipError where a frame has no leg, and motion cannot be scaled by it.
    """
    legs = leg_lengths(joints, skeleton)
    leg = float(np.median(legs))
    if not leg > 0 or not (legs > _NO_LENGTH * leg).all():
        raise ClipError(f"the leg has no length in frame {int(np.argmin(legs)) + 1} of {len(legs)}")
    up = [max(parent, 0) for parent in skeleton.parents]
    lengths = np.median(np.linalg.norm(joints - joints[:, up], axis=-1), axis=0)
    return [joint for joint in range(1, skeleton.num_joints) if lengths[joint] <= _NO_LENGTH * leg]


def bone_names(ends: Sequence[int], skeleton: Skeleton) -> str:
    """`spine3 - l_collar` for each bone, at most four, by the joints that they end in."""
    names = [f"{skeleton.joint_names[skeleton.parents[i]]} - {skeleton.joint_names[i]}" for i in ends]
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def rebuild_end(joints: Float[ndarray, "f j 3"], end: int, skeleton: Skeleton) -> Float[ndarray, "f j 3"]:
    """Joints with an end joint, which lay on its parent, where the skeleton's target body has it.

    It continues the bone before it; toes point ahead, at a right angle to the shin. The length is that of the target
    body, scaled by the leg.
    """
    assert skeleton.body is not None
    parent = skeleton.parents[end]
    along = _unit(joints[:, parent] - joints[:, skeleton.parents[parent]])
    if end in skeleton.feet[1::2]:
        r_hip, l_hip, r_shoulder, l_shoulder = skeleton.facing
        across = joints[:, l_hip] - joints[:, r_hip] + joints[:, l_shoulder] - joints[:, r_shoulder]
        ahead = np.cross(across, [0.0, 1.0, 0.0])
        along = _unit(ahead - (ahead * along).sum(axis=-1, keepdims=True) * along)
    scale = np.median(leg_lengths(joints, skeleton)) / sum(skeleton.body[joint] for joint in skeleton.scaling)
    rebuilt = joints.copy()
    rebuilt[:, end] = joints[:, parent] + along * (skeleton.body[end] * scale)
    return rebuilt


def _unit(vectors: Float[ndarray, "f 3"]) -> Float[ndarray, "f 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
