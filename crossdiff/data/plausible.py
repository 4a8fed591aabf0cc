"""What motion of people can be: frame rates, and the size and proportions of the body; all else is refused by name."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import ClipError
from crossdiff.skeleton import Skeleton

# Frames per second. Milliseconds taken for seconds give less.
FRAME_RATES = (1.0, 10_000.0)
# Lengths of thigh and shin together, in metres.
LEG_LENGTHS = (0.1, 3.0)
# Metres from the origin beyond which no recording goes.
FARTHEST = 1e5
# Bones shorter than this fraction of the leg have no direction.
_NO_LENGTH = 0.005


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


def leg_length(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> float:
    """Median length of thigh and shin, in the joints' unit."""
    up, down = [skeleton.parents[joint] for joint in skeleton.scaling], list(skeleton.scaling)
    bones = np.linalg.norm(joints[:, down] - joints[:, up], axis=-1)
    return float(np.median(bones.sum(axis=1)))


def check_leg(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> None:
    """ClipError for a body that is not of a person's size. joints: metres, one frame or more."""
    leg = leg_length(joints, skeleton)
    if not LEG_LENGTHS[0] < leg < LEG_LENGTHS[1]:
        raise ClipError(f"a leg is {leg:.3g} m long; joints must be in metres, features not normalised")


def check_bones(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> None:
    """ClipError that names the bones without length: a rotation cannot be read from them. joints: one frame or more."""
    up = [max(parent, 0) for parent in skeleton.parents]
    lengths = np.median(np.linalg.norm(joints - joints[:, up], axis=-1), axis=0)
    none = [i for i in range(1, skeleton.num_joints) if lengths[i] <= _NO_LENGTH * leg_length(joints, skeleton)]
    if none:
        names = ", ".join(f"{skeleton.joint_names[up[i]]} - {skeleton.joint_names[i]}" for i in none[:4])
        raise ClipError(f"bones without length: {names}{', ...' if len(none) > 4 else ''}; check the joint map")
