"""Locking feet while they touch the floor: detect contacts, adjust foot trajectories, solve the legs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg import solveh_banded
from scipy.sparse import diags_array

from crossdiff.errors import InputError
from crossdiff.masks import true_runs
from crossdiff.representation.physics import CONTACT_HEIGHT, FLOOR_PERCENTILE
from crossdiff.skeleton import HUMANML3D, Skeleton

# Interruptions of contacts of up to this many frames are closed, and contacts of up to this many are dropped.
_GAP = 2
# Weights of a foot's target positions against the smoothness of its path: in contact it is held, elsewhere it returns
# softly, over about three frames.
_HELD, _FREE = 1e2, 1e-2
# Largest stretch of a leg, relative to its length: straighter knees jerk.
_STRETCH = 0.99
# Smallest distance in metres of a knee from the line between hip and ankle that gives a reliable direction.
_POINTS = 0.03


@dataclass(frozen=True)
class Leg:
    """Joints of one leg."""

    hip: int
    knee: int
    ankle: int
    toe: int


def legs(skeleton: Skeleton = HUMANML3D) -> tuple[Leg, Leg]:
    """The left and the right leg; InputError for a skeleton whose feet have a joint between ankle and toe."""
    found = []
    for ankle, toe in (skeleton.feet[:2], skeleton.feet[2:]):
        knee = skeleton.parents[ankle]
        hip = skeleton.parents[knee]
        if skeleton.parents[toe] != ankle or skeleton.parents[hip] != 0:
            raise InputError(f"foot lock: expected the skeleton {HUMANML3D.name}, got {skeleton.name}")
        found.append(Leg(hip, knee, ankle, toe))
    return found[0], found[1]


def contacts(joints: Float[ndarray, "f j 3"], skeleton: Skeleton = HUMANML3D) -> Bool[ndarray, "f 2"]:
    """Contacts of the left and the right toes with the floor, by frame.

    Toes are in contact within `CONTACT_HEIGHT` of the clip's floor, as in `physics.skating`, and below the speed limit
    of the features' contacts (`Skeleton.contact_threshold`, 0.9 m/s). Short interruptions are closed and short contacts
    dropped.
    """
    toes = joints[:, [leg.toe for leg in legs(skeleton)]]
    floor = np.percentile(joints[:, list(skeleton.feet), 1].min(axis=1), FLOOR_PERCENTILE)
    step = np.square(np.diff(toes, axis=0)).sum(axis=-1)
    # The slower of the steps before and after a frame.
    padded = np.concatenate([step[:1], step, step[-1:]]) if len(step) else np.zeros((2, 2))
    slow = np.minimum(padded[:-1], padded[1:]) < skeleton.contact_threshold
    touching = (toes[..., 1] <= floor + CONTACT_HEIGHT) & slow
    return np.stack([_tidied(touching[:, side]) for side in range(2)], axis=1)


def _tidied(touching: Bool[ndarray, " f"]) -> Bool[ndarray, " f"]:
    done = touching.copy()
    for start, stop in true_runs(~done):
        if stop - start <= _GAP and start > 0 and stop < len(done):
            done[start:stop] = True
    for start, stop in true_runs(done):
        if stop - start <= _GAP:
            done[start:stop] = False
    return done


def lock_feet(joints: Float[ndarray, "f j 3"], skeleton: Skeleton = HUMANML3D) -> Float[ndarray, "f j 3"]:
    """Keep the toes at one position on the floor during each contact, metres, Y up; returns new joints.

    Each toe is moved to its mean position over the contact; between contacts, its displacement is the smoothest curve
    from one to the next, or back to zero. Heights are kept. The foot moves rigidly, and the leg follows by two-bone
    inverse kinematics, which keeps the bones' lengths in each frame and the direction of the knee. If a leg is too
    short, the foot stays within its reach.
    """
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (skeleton.num_joints, 3):
        raise InputError(f"foot lock: expected joints (frames, {skeleton.num_joints}, 3), got {joints.shape}")
    locked = joints.copy()
    standing = contacts(joints, skeleton)
    for leg, touching in zip(legs(skeleton), standing.T, strict=True):
        shift = _shift(joints[:, leg.toe], touching)
        _move_foot(locked, leg, shift, _forward(joints, skeleton))
    return locked


def _shift(toe: Float[ndarray, "f 3"], touching: Bool[ndarray, " f"]) -> Float[ndarray, "f 3"]:
    """Displacement of the foot along the floor in each frame."""
    wanted = np.zeros_like(toe)
    for start, stop in true_runs(touching):
        wanted[start:stop] = toe[start:stop].mean(axis=0) - toe[start:stop]
    wanted[:, 1] = 0
    return _smoothest(wanted, np.where(touching, _HELD, _FREE))


def _smoothest(wanted: Float[ndarray, "f 3"], weight: Float[ndarray, " f"]) -> Float[ndarray, "f 3"]:
    """The curve with the least sum of squared second differences and of weighted squared distances from the targets.

    Whittaker's smoother: (W + D'D) s = W y, with D the second differences.
    """
    count = len(wanted)
    if count < 3:
        return wanted
    differences = diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(count - 2, count))
    product = differences.T @ differences
    bands = np.zeros((3, count))
    for band in range(3):
        bands[band, : count - band] = product.diagonal(band)
    bands[0] += weight
    return np.asarray(solveh_banded(bands, weight[:, None] * wanted, lower=True))


def _forward(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> Float[ndarray, "f 3"]:
    """Facing directions of the pelvis: unit vectors."""
    left, right = legs(skeleton)
    up = joints[:, skeleton.parents.index(0, 3)] - joints[:, 0]
    return _unit(np.cross(joints[:, left.hip] - joints[:, right.hip], up))


def _move_foot(joints: ndarray, leg: Leg, shift: Float[ndarray, "f 3"], forward: Float[ndarray, "f 3"]) -> None:
    """Move ankle and toe, in place, as far as the leg reaches, and solve for the knee."""
    hip, knee, ankle, toe = (joints[:, j].copy() for j in (leg.hip, leg.knee, leg.ankle, leg.toe))
    thigh, shin = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
    reach = ankle + shift - hip
    before = np.linalg.norm(ankle - hip, axis=-1)
    # A leg that was already straighter may stay so.
    longest = np.maximum(_STRETCH * (thigh + shin), before)
    distance = np.clip(np.linalg.norm(reach, axis=-1), np.abs(thigh - shin) + 1e-6, longest)
    axis = _unit(reach)
    placed = hip + axis * distance[:, None]
    pole = _pole(knee - hip, _unit(ankle - hip), axis, forward)
    along = np.clip((distance**2 + thigh**2 - shin**2) / (2 * np.maximum(distance, 1e-6)), -thigh, thigh)
    out = np.sqrt(np.maximum(thigh**2 - along**2, 0))
    moved = np.linalg.norm(shift, axis=-1) > 1e-9
    joints[moved, leg.knee] = (hip + axis * along[:, None] + pole * out[:, None])[moved]
    joints[moved, leg.ankle] = placed[moved]
    joints[moved, leg.toe] = (toe + placed - ankle)[moved]


def _pole(
    knee: Float[ndarray, "f 3"], old: Float[ndarray, "f 3"], new: Float[ndarray, "f 3"], forward: Float[ndarray, "f 3"]
) -> Float[ndarray, "f 3"]:
    """Unit vectors perpendicular to the new line from hip to ankle, in the direction of the knee.

    The knee keeps its direction from the old line. For nearly straight or backward-bent legs that direction is
    unreliable, so it is blended towards the pelvis' forward axis.
    """
    ahead = _unit(_across(forward, new))
    bend = _across(_across(knee, old), new)
    out = (bend * ahead).sum(axis=-1, keepdims=True)
    return _unit(bend + ahead * np.maximum(_POINTS - out, 0))


def _across(vector: ndarray, axis: ndarray) -> ndarray:
    """The component of a vector perpendicular to a unit axis."""
    return vector - axis * (vector * axis).sum(axis=-1, keepdims=True)


def _unit(vector: ndarray) -> ndarray:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)
