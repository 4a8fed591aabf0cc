"""Locking feet while they touch the floor: detect contacts, adjust foot trajectories, solve the legs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.masks import true_runs
from crossdiff.representation.filters import smoothest_curve
from crossdiff.representation.limbs import Limb, limb_of, move_end, pelvis_facing
from crossdiff.representation.physics import CONTACT_HEIGHT, FLOOR_PERCENTILE
from crossdiff.skeleton import HUMANML3D, Skeleton
from crossdiff.types import Motion3D

# Interruptions of contacts of up to this many frames are closed, and contacts of up to this many are dropped.
_GAP = 2
# Weights of a foot's target positions against the smoothness of its path: in contact it is held, elsewhere it returns
# softly, over about three frames.
_HELD, _FREE = 1e2, 1e-2
# The same weight where a foot may not move at all.
_FIXED = 1e6


def legs(skeleton: Skeleton = HUMANML3D) -> tuple[Limb, Limb]:
    """The left and the right leg, down to the toes; InputError for a skeleton with a joint between ankle and toe."""
    found = []
    for ankle, toe in (skeleton.feet[:2], skeleton.feet[2:]):
        leg = limb_of(ankle, skeleton)
        if leg.tip != toe or skeleton.parents[leg.start] != 0:
            raise InputError(f"foot lock: expected the skeleton {HUMANML3D.name}, got {skeleton.name}")
        found.append(leg)
    return found[0], found[1]


def toes(skeleton: Skeleton = HUMANML3D) -> list[int]:
    """The left and the right toes."""
    return [leg.tip for leg in legs(skeleton) if leg.tip is not None]


def contacts(joints: Float[ndarray, "f j 3"], skeleton: Skeleton = HUMANML3D) -> Bool[ndarray, "f 2"]:
    """Contacts of the left and the right toes with the floor, by frame.

    Toes are in contact within `CONTACT_HEIGHT` of the clip's floor, as in `physics.skating`, and below the speed limit
    of the features' contacts (`Skeleton.contact_threshold`, 0.9 m/s). Short interruptions are closed and short contacts
    dropped.
    """
    places = joints[:, toes(skeleton)]
    floor = np.percentile(joints[:, list(skeleton.feet), 1].min(axis=1), FLOOR_PERCENTILE)
    step = np.square(np.diff(places, axis=0)).sum(axis=-1)
    # The slower of the steps before and after a frame.
    padded = np.concatenate([step[:1], step, step[-1:]]) if len(step) else np.zeros((2, 2))
    slow = np.minimum(padded[:-1], padded[1:]) < skeleton.contact_threshold
    touching = (places[..., 1] <= floor + CONTACT_HEIGHT) & slow
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


def lock_feet(
    joints: Float[ndarray, "f j 3"], skeleton: Skeleton = HUMANML3D, fixed: Bool[ndarray, " f"] | None = None
) -> Float[ndarray, "f j 3"]:
    """Keep the toes at one position on the floor during each contact, metres, Y up; returns new joints.

    Each toe is moved to its mean position over the contact; between contacts, its displacement is the smoothest curve
    from one to the next, or back to zero. Heights are kept. The foot moves rigidly, and the leg follows by two-bone
    inverse kinematics, which keeps the bones' lengths in each frame and the direction of the knee. If a leg is too
    short, the foot stays within its reach. fixed: frames in which nothing moves, and to which contacts adapt.
    """
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (skeleton.num_joints, 3):
        raise InputError(f"foot lock: expected joints (frames, {skeleton.num_joints}, 3), got {joints.shape}")
    locked = joints.copy()
    fixed = np.zeros(len(joints), dtype=bool) if fixed is None else fixed
    standing, facing = contacts(joints, skeleton), pelvis_facing(joints, skeleton)
    for leg, toe, touching in zip(legs(skeleton), toes(skeleton), standing.T, strict=True):
        move_end(locked, leg, _shift(joints[:, toe], touching, fixed), facing)
    locked[fixed] = joints[fixed]
    return locked


def _shift(
    toe: Float[ndarray, "f 3"], touching: Bool[ndarray, " f"], fixed: Bool[ndarray, " f"]
) -> Float[ndarray, "f 3"]:
    """Displacement of the foot along the floor in each frame."""
    wanted = np.zeros_like(toe)
    for start, stop in true_runs(touching):
        contact = toe[start:stop]
        target = contact[fixed[start:stop]] if fixed[start:stop].any() else contact
        wanted[start:stop] = target.mean(axis=0) - contact
    wanted[:, 1] = 0
    wanted[fixed] = 0
    return smoothest_curve(wanted, np.select([fixed, touching], [_FIXED, _HELD], _FREE))


def plant_feet(motion: Motion3D, fixed: Bool[ndarray, " f"] | None = None) -> Motion3D:
    """The motion with locked feet (`lock_feet`), as sampled motions are exported and shown; KIT's stay as they are."""
    if motion.skeleton != HUMANML3D:
        return motion
    locked = lock_feet(motion.joints, motion.skeleton, fixed)
    return replace(motion, joints=locked.astype(motion.joints.dtype))
