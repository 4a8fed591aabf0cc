"""Holding feet still while they touch the floor: contacts found, the feet's way changed, the legs bent to follow."""

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

# A contact that is interrupted for this many frames or fewer goes on; one of so many or fewer is none.
_GAP = 2
# How much what is wanted of a foot counts against a smooth way there: in contact it is held, elsewhere it is drawn back
# softly, over about three frames.
_HELD, _FREE = 1e2, 1e-2
# A leg is stretched to this share of its length at most: a knee that is straightened further jerks.
_STRETCH = 0.99
# A knee stands at least this far, in metres, in front of the line from hip to ankle before it tells where it points.
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
            raise InputError(f"foot lock: knows the legs of {HUMANML3D.name} alone, got the skeleton {skeleton.name}")
        found.append(Leg(hip, knee, ankle, toe))
    return found[0], found[1]


def contacts(joints: Float[ndarray, "f j 3"], skeleton: Skeleton = HUMANML3D) -> Bool[ndarray, "f 2"]:
    """In which frames the left and the right toes stand on the floor.

    They do where they are within `CONTACT_HEIGHT` of the clip's floor, as in `physics.skating`, and slower than the
    features' contacts are (`Skeleton.contact_threshold`), which lets feet slide by 0.9 m/s. Short interruptions are
    closed and short contacts dropped.
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
    """Hold the toes of each contact in one place over the floor, metres, Y up; returns new joints.

    Each toe is drawn to its mean place over the contact; between contacts its shift is the smoothest curve that leads
    from one to the next, or back to nothing. Heights stay. The foot is moved as a whole, and the leg
    follows by bending the knee (two-bone inverse kinematics), so every bone keeps the length that it has in its frame
    and the knee points where it did. Where a leg is too short, the foot stays within its reach.
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
    """How far the foot is moved in each frame, along the floor."""
    wanted = np.zeros_like(toe)
    for start, stop in true_runs(touching):
        wanted[start:stop] = toe[start:stop].mean(axis=0) - toe[start:stop]
    wanted[:, 1] = 0
    return _smoothest(wanted, np.where(touching, _HELD, _FREE))


def _smoothest(wanted: Float[ndarray, "f 3"], weight: Float[ndarray, " f"]) -> Float[ndarray, "f 3"]:
    """The curve with the least sum of squared second differences and of weighted squared distances from what is wanted.

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
    """Where the pelvis faces: unit vectors."""
    left, right = legs(skeleton)
    up = joints[:, skeleton.parents.index(0, 3)] - joints[:, 0]
    return _unit(np.cross(joints[:, left.hip] - joints[:, right.hip], up))


def _move_foot(joints: ndarray, leg: Leg, shift: Float[ndarray, "f 3"], forward: Float[ndarray, "f 3"]) -> None:
    """Move ankle and toe, in place, as far as the leg reaches, and put the knee where both of its bones fit."""
    hip, knee, ankle, toe = (joints[:, j].copy() for j in (leg.hip, leg.knee, leg.ankle, leg.toe))
    thigh, shin = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
    reach = ankle + shift - hip
    before = np.linalg.norm(ankle - hip, axis=-1)
    # A leg that was stretched further already may stay so.
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
    """Unit vectors at right angles to the new line from hip to ankle, in which the knee stands out from it.

    It stood out from the old line in that direction. A leg that is nearly straight, or bent backwards by an error, does
    not tell: the less it stands out to the front, the more it is drawn there.
    """
    ahead = _unit(_across(forward, new))
    bend = _across(_across(knee, old), new)
    out = (bend * ahead).sum(axis=-1, keepdims=True)
    return _unit(bend + ahead * np.maximum(_POINTS - out, 0))


def _across(vector: ndarray, axis: ndarray) -> ndarray:
    """The part of a vector at right angles to a unit axis."""
    return vector - axis * (vector * axis).sum(axis=-1, keepdims=True)


def _unit(vector: ndarray) -> ndarray:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)
