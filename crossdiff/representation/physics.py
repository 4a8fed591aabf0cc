"""Measures of a motion without an evaluator: feet, floor, smoothness and bones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.skeleton import Skeleton

# Height above the clip's floor, in metres, up to which a foot joint is in contact.
CONTACT_HEIGHT = 0.05
# The clip's floor: this percentile over frames of the lowest foot joint's height, which ignores single bad frames.
FLOOR_PERCENTILE = 5.0
# Speed in m/s above which a foot joint in contact slides: 2.5 cm per frame at 20 fps.
SLIDING_SPEED = 0.5
# The third difference takes four frames.
FEWEST_FRAMES = 4
# Length in metres below which a bone's two joints coincide, and its length is not measured.
_SHORTEST_BONE = 1e-4


@dataclass(frozen=True)
class MotionMeasures:
    """Measures of one clip; `MEASURES` defines them."""

    skating_share: float
    skating_speed: float
    floor_penetration: float
    jerk: float
    bone_drift: float


@dataclass(frozen=True)
class Measure:
    """A measure. title: the column's name; unit: empty for a fraction; better: lower, or like real motion."""

    title: str
    unit: str
    better: Literal["lower", "real"]
    what: str


# By the name of the field of `MotionMeasures`.
MEASURES = {
    "skating_share": Measure(
        "Skating",
        "",
        "lower",
        f"share of the steps from frame to frame, of feet within {100 * CONTACT_HEIGHT:g} cm of the clip's floor, "
        f"that are faster than {SLIDING_SPEED:g} m/s horizontally; feet are ankles, heels and toes",
    ),
    "skating_speed": Measure("Skating speed", "cm/s", "lower", "mean horizontal speed of these feet"),
    "floor_penetration": Measure(
        "Below floor", "cm", "lower", "depth of the lowest joint below y = 0, or 0 above it, mean over the frames"
    ),
    "jerk": Measure("Jerk", "m/s³", "real", "length of the third derivative of a joint's position, mean"),
    "bone_drift": Measure(
        "Bone drift", "%", "lower", "standard deviation of a bone's length over the clip, of its mean; mean over bones"
    ),
}


def measure_motion(joints: Float[ndarray, "frames joints 3"], skeleton: Skeleton) -> MotionMeasures:
    """Measure one clip: joint positions in metres, Y up, at the skeleton's frame rate.

    Invariant to rotation about Y and to translation in x and z.
    """
    joints = _checked(joints, skeleton)
    share, speed = skating(joints, skeleton)
    return MotionMeasures(share, speed, floor_penetration(joints), jerk(joints, skeleton), bone_drift(joints, skeleton))


def skating(joints: Float[ndarray, "frames joints 3"], skeleton: Skeleton) -> tuple[float, float]:
    """Fraction of contacts that slide, and mean horizontal speed of all contacts in cm/s; (0, 0) without contacts.

    A contact is a foot joint and a pair of neighbouring frames, in both of which it is at most `CONTACT_HEIGHT`
    above the clip's floor. Real walking is not at 0, since a swinging toe may pass that low: compare with `Real`.
    """
    feet = joints[:, list(skeleton.feet)]
    height = feet[..., 1]
    floor = np.percentile(height.min(axis=1), FLOOR_PERCENTILE)
    low = height <= floor + CONTACT_HEIGHT
    contact = low[1:] & low[:-1]
    if not contact.any():
        return 0.0, 0.0
    speed = np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)[contact] * skeleton.fps
    return float((speed > SLIDING_SPEED).mean()), float(100 * speed.mean())


def floor_penetration(joints: Float[ndarray, "frames joints 3"]) -> float:
    """Depth in cm of the lowest joint below y = 0 (0 above it), mean over the frames.

    After PhysDiff (Yuan et al., ICCV 2023), which takes the lowest vertex of a body mesh.
    """
    return float(100 * np.maximum(-joints[..., 1].min(axis=1), 0).mean())


def jerk(joints: Float[ndarray, "frames joints 3"], skeleton: Skeleton) -> float:
    """Length of the third difference times fps^3, mean over joints and frames, in m/s^3."""
    return float(np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1).mean() * skeleton.fps**3)


def bone_drift(joints: Float[ndarray, "frames joints 3"], skeleton: Skeleton) -> float:
    """Standard deviation over the clip of each bone's length, in % of its mean length; mean over bones."""
    up, joint = np.array(skeleton.bones).T
    length = np.linalg.norm(joints[:, joint] - joints[:, up], axis=-1)
    mean = length.mean(axis=0)
    bones = mean > _SHORTEST_BONE
    return float(100 * (length.std(axis=0)[bones] / mean[bones]).mean()) if bones.any() else 0.0


def _checked(joints: ndarray, skeleton: Skeleton) -> Float[ndarray, "frames joints 3"]:
    joints = np.asarray(joints, dtype=np.float64)
    expected = (skeleton.num_joints, 3)
    if joints.ndim != 3 or joints.shape[1:] != expected or len(joints) < FEWEST_FRAMES:
        raise InputError(
            f"joints {joints.shape}: expected ({FEWEST_FRAMES} frames or more, {expected[0]}, 3) of the "
            f"{skeleton.name} skeleton; choose its skeleton, or a longer motion"
        )
    if not np.isfinite(joints).all():
        raise InputError(f"joints: {int((~np.isfinite(joints)).sum())} values are not finite; check the motion")
    return joints
