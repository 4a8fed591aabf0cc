"""Cleaning a motion up and putting it on a rig: smoothing, bones of constant length, feet that stand still."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from crossdiff.export.rig import Rig, fit_rig
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.representation.foot_lock import lock_feet
from crossdiff.representation.physics import MotionMeasures, measure_motion
from crossdiff.skeleton import Skeleton
from crossdiff.types import Motion3D

# Of `--smooth`, in frames: takes out the trembling of single frames and leaves steps.
SIGMA = 1.0


@dataclass(frozen=True)
class Cleaned:
    """A motion on a rig, what it measured before and after, and how far its joints went for constant bones.

    mean_moved, most_moved: metres, over joints and frames, between the (smoothed) motion and its rigid bones; the
    feet's lock is not counted.
    """

    rig: Rig
    before: MotionMeasures
    after: MotionMeasures
    mean_moved: float
    most_moved: float


def clean_motion(motion: Motion3D, sigma: float = 0.0, foot_lock: bool = False) -> Cleaned:
    """Smooth the joints (zero phase, Gaussian of `sigma` frames), make their bones rigid, then hold the feet.

    Smoothing shortens bones and moves feet: hence this order, and feet are best locked after smoothing. Contacts and
    measures are those of the motion's own frame rate.
    """
    skeleton = _at_rate(motion.skeleton, motion.fps)
    smooth = smooth_motion(motion, sigma)
    fit = fit_rig(smooth)
    rig = fit.rig
    if foot_lock:
        locked = replace(motion, joints=lock_feet(rig.joints(), skeleton))
        rig = fit_rig(locked, rig.offsets).rig
    before, after = (measure_motion(j, skeleton) for j in (motion.joints, rig.joints()))
    return Cleaned(rig, before, after, fit.mean_error, fit.largest_error)


def _at_rate(skeleton: Skeleton, fps: float) -> Skeleton:
    """The skeleton for motions of another frame rate: the threshold of contacts is the same speed."""
    return replace(skeleton, fps=fps, contact_threshold=skeleton.contact_threshold * (skeleton.fps / fps) ** 2)


def smooth_motion(motion: Motion3D, sigma: float = SIGMA) -> Motion3D:
    """Joints filtered along time; 0 changes nothing."""
    if sigma <= 0:
        return motion
    joints = torch.as_tensor(motion.joints, dtype=torch.float64)
    return replace(motion, joints=gaussian_in_time(joints.flatten(1), sigma).view_as(joints).numpy())
