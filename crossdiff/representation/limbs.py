"""Arms and legs: moving their ends, with the joint in the middle found by two-bone inverse kinematics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.skeleton import HUMANML3D, Skeleton

# Largest stretch of a limb, relative to its length: straighter ones jerk.
_STRETCH = 0.99
# Smallest distance in metres of the middle joint from the line between the ends that gives a reliable direction.
_POINTS = 0.03


@dataclass(frozen=True)
class Limb:
    """Joints of two bones in a chain, and the joint that moves rigidly with the end, if there is one."""

    start: int
    """Hip or shoulder."""
    middle: int
    """Knee or elbow."""
    end: int
    """Ankle or wrist."""
    tip: int | None
    """Toe."""


def limb_of(end: int, skeleton: Skeleton = HUMANML3D) -> Limb:
    """The limb whose ankle or wrist this joint is."""
    middle = skeleton.parents[end]
    beyond = [joint for joint, parent in enumerate(skeleton.parents) if parent == end]
    return Limb(skeleton.parents[middle], middle, end, beyond[0] if beyond else None)


def travelled(joints: Float[ndarray, "f j 3"], joint: int) -> float:
    """Metres that a joint travels, relative to the root."""
    return float(np.linalg.norm(np.diff(joints[:, joint] - joints[:, 0], axis=0), axis=-1).sum())


def pelvis_facing(joints: Float[ndarray, "f j 3"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "f 3"]:
    """Facing directions of the pelvis: unit vectors."""
    right_hip, left_hip = skeleton.facing[:2]
    up = joints[:, skeleton.parents.index(0, 3)] - joints[:, 0]
    return _unit(np.cross(joints[:, left_hip] - joints[:, right_hip], up))


def move_end(joints: ndarray, limb: Limb, shift: Float[ndarray, "f 3"], bend: Float[ndarray, "f 3"]) -> None:
    """Move the limb's end (and tip), in place, as far as the limb reaches, and solve for the middle joint.

    joints: (F, J, 3) in metres. shift: displacement in each frame. bend: unit vectors to which the middle joint points
    where the limb is straight. Bones keep their lengths in each frame, and the middle joint its direction.
    """
    start, middle, end = (joints[:, j].copy() for j in (limb.start, limb.middle, limb.end))
    upper, lower = np.linalg.norm(middle - start, axis=-1), np.linalg.norm(end - middle, axis=-1)
    reach = end + shift - start
    before = np.linalg.norm(end - start, axis=-1)
    # A limb that was already straighter may stay so.
    longest = np.maximum(_STRETCH * (upper + lower), before)
    distance = np.clip(np.linalg.norm(reach, axis=-1), np.abs(upper - lower) + 1e-6, longest)
    axis = _unit(reach)
    placed = start + axis * distance[:, None]
    pole = _pole(middle - start, _unit(end - start), axis, bend)
    along = np.clip((distance**2 + upper**2 - lower**2) / (2 * np.maximum(distance, 1e-6)), -upper, upper)
    out = np.sqrt(np.maximum(upper**2 - along**2, 0))
    moved = np.linalg.norm(shift, axis=-1) > 1e-9
    joints[moved, limb.middle] = (start + axis * along[:, None] + pole * out[:, None])[moved]
    joints[moved, limb.end] = placed[moved]
    if limb.tip is not None:
        joints[moved, limb.tip] += (placed - end)[moved]


def _pole(
    middle: Float[ndarray, "f 3"], old: Float[ndarray, "f 3"], new: Float[ndarray, "f 3"], bend: Float[ndarray, "f 3"]
) -> Float[ndarray, "f 3"]:
    """Unit vectors perpendicular to the new line between the limb's ends, in the direction of the middle joint.

    The joint keeps its direction from the old line. For limbs that are nearly straight or bent backwards that direction
    is unreliable, so it is blended towards `bend`.
    """
    ahead = _unit(_across(bend, new))
    direction = _across(_across(middle, old), new)
    out = (direction * ahead).sum(axis=-1, keepdims=True)
    return _unit(direction + ahead * np.maximum(_POINTS - out, 0))


def _across(vector: ndarray, axis: ndarray) -> ndarray:
    """The component of a vector perpendicular to a unit axis."""
    return vector - axis * (vector * axis).sum(axis=-1, keepdims=True)


def _unit(vector: ndarray) -> ndarray:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)
