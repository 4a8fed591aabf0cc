"""Cleaning up a motion and fitting a rig: smoothing, bones of constant length, feet that do not slide."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.export.rig import Rig, fit_rig
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.representation.foot_lock import contacts, lock_feet, toes
from crossdiff.representation.physics import MotionMeasures, measure_motion
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion3D

# Width of `--smooth`, in frames: removes jitter of single frames and keeps steps.
SIGMA = 1.0


@dataclass(frozen=True)
class Cleaned:
    """A motion on a rig, and its measures before and after.

    contact_speed: mean horizontal speed in cm/s, before and after, of the toes in contact with the floor; None without
    contacts. The contacts are those that the foot lock finds, whether or not it is used.
    mean_moved, most_moved: mean and largest distance in metres between the (smoothed) joints and those of the rigid
    bones, before the feet are locked.
    """

    rig: Rig
    before: MotionMeasures
    after: MotionMeasures
    contact_speed: tuple[float, float] | None
    mean_moved: float
    most_moved: float


def clean_motion(motion: Motion3D, sigma: float = 0.0, foot_lock: bool = False) -> Cleaned:
    """Smooth the joints (zero phase, Gaussian of `sigma` frames), make their bones rigid, then hold the feet.

    The order matters, as smoothing shortens bones and moves feet. Contacts and measures use the motion's frame rate.
    """
    skeleton = _at_rate(motion.skeleton, motion.fps)
    smooth = smooth_motion(motion, sigma)
    fit = fit_rig(smooth)
    rig = fit.rig
    touching = contacts(rig.joints(), skeleton)
    if foot_lock:
        locked = replace(motion, joints=lock_feet(rig.joints(), skeleton))
        rig = fit_rig(locked, rig.offsets).rig
    before, after = (measure_motion(j, skeleton) for j in (motion.joints, rig.joints()))
    speeds = None
    if (touching[1:] & touching[:-1]).any():
        speeds = _toe_speed(motion.joints, touching, skeleton), _toe_speed(rig.joints(), touching, skeleton)
    return Cleaned(rig, before, after, speeds, fit.mean_error, fit.largest_error)


def _toe_speed(joints: Float[ndarray, "f j 3"], touching: Bool[ndarray, "f 2"], skeleton: Skeleton) -> float:
    """Mean horizontal speed in cm/s of the toes from one frame to the next, in both of which they touch the floor."""
    places = joints[:, toes(skeleton)][..., [0, 2]]
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1) * skeleton.fps
    return float(100 * speed[touching[1:] & touching[:-1]].mean())


def _at_rate(skeleton: Skeleton, fps: float) -> Skeleton:
    """The skeleton at another frame rate, with the same speed as threshold of contacts."""
    return replace(skeleton, fps=fps, contact_threshold=skeleton.contact_threshold * (skeleton.fps / fps) ** 2)


def smooth_motion(motion: Motion3D, sigma: float = SIGMA) -> Motion3D:
    """Joints filtered along time; 0 changes nothing."""
    if sigma <= 0:
        return motion
    joints = torch.as_tensor(motion.joints, dtype=torch.float64)
    return replace(motion, joints=gaussian_in_time(joints.flatten(1), sigma).view_as(joints).numpy())
