"""The errors of a pose detector in the picture, of the kinds that were measured of BlazePose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from crossdiff.data.simulation.noise import autoregressive, chosen, smooth_signal, stretches, uniform
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.skeleton import Skeleton

# In metres of the skeleton's body: standard deviations along each axis of an error that a joint has throughout a clip,
# and of one that decays in a quarter of a second (frames). Of BlazePose 0.043 and 0.032 were measured; a part of the
# former is the same in all clips, and the mapping of its keypoints takes that out.
_BIAS, _VARYING, _DECAY = 0.026, 0.026, 5.0
# Hands and feet are found less exactly than the trunk, but the mean over the joints is about 1.
_SPREAD = {"wrist": 1.5, "ankle": 1.2, "foot": 1.4, "elbow": 1.1, "knee": 1.0, "head": 1.0}
_TRUNK = 0.7
_LIMBS = (("elbow", "wrist"), ("knee", "ankle", "foot"))
_LOST_SECONDS = 0.4


@dataclass(frozen=True)
class Detected:
    """flat: joints (B, T, J, 2) as found; visible: (B, T, J)."""

    flat: Float[Tensor, "b t j 2"]
    visible: Bool[Tensor, "b t j"]


def spread_of(skeleton: Skeleton) -> Float[Tensor, " j"]:
    """Relative error of each joint; none of the root, which the others are measured from."""
    names = skeleton.joint_names
    spread = torch.tensor([next((v for part, v in _SPREAD.items() if part in n), _TRUNK) for n in names])
    spread[0] = 0.3
    return spread


def detect(
    flat: Float[Tensor, "b t j 2"],
    strength: Float[Tensor, " b"],
    lost: float,
    exchanged: float,
    skeleton: Skeleton,
    rng: Generator,
) -> Detected:
    """strength: factor on the errors of each clip; lost: share of clips with unseen joints; exchanged: share
    of clips in which left and right limbs change places for a while.
    """
    batch, frames, joints = flat.shape[:3]
    by = strength[:, None, None, None] * spread_of(skeleton)[:, None]
    bias = _BIAS * torch.randn(batch, 1, joints, 2, generator=rng)
    # Errors come in bursts: the measured root mean square is nearly twice the typical error.
    burst = (0.7 * smooth_signal(batch, frames, joints, 6.0, rng)).exp()[..., None] / 1.28
    varying = _VARYING * burst * autoregressive((batch, frames, joints, 2), _DECAY, rng)
    varying = gaussian_in_time(varying.flatten(-2), 0.8).unflatten(-1, (joints, 2))
    found = _exchange(flat + by * (bias + varying), chosen(batch, exchanged, rng), skeleton, rng)
    return Detected(found, _visible(batch, frames, lost, skeleton, rng))


def _exchange(flat: Tensor, rows: Tensor, skeleton: Skeleton, rng: Generator) -> Tensor:
    """Exchange left and right arms or legs, for about half a second at a time."""
    for parts in _LIMBS:
        limb = [j for j, name in enumerate(skeleton.joint_names) if name[2:] in parts]
        others = [skeleton.mirror[j] for j in limb]
        when = stretches(tuple(flat.shape[:2]), 0.02, 8.0, rng) & rows[:, None]
        flat = flat.index_copy(
            2, torch.tensor(limb), torch.where(when[..., None, None], flat[:, :, others], flat[:, :, limb])
        )
    return flat


def _visible(batch: int, frames: int, lost: float, skeleton: Skeleton, rng: Generator) -> Bool[Tensor, "b t j"]:
    """Joints hidden for a while, whole legs or an arm out of the picture, and toes that the detector does not give."""
    names, joints = skeleton.joint_names, skeleton.num_joints
    rate = uniform((batch, 1, 1), 0.0, 0.03, rng) * torch.tensor([0.3 if n in ("pelvis",) else 1.0 for n in names])
    hidden = stretches((batch, frames, joints), rate, 20 * _LOST_SECONDS, rng)
    hidden[..., 0] = False
    for parts, share in ((("knee", "ankle", "foot"), 0.1), (("ankle", "foot"), 0.1), (("elbow", "wrist"), 0.1)):
        for side in ("l_", "r_"):
            limb = torch.tensor([n[:2] == side and n[2:] in parts for n in names])
            when = stretches((batch, frames), 0.03, 40.0, rng) & chosen(batch, share, rng)[:, None]
            hidden = hidden | (when[..., None] & limb)
    toes = torch.tensor(["foot" in n for n in names])
    hidden = hidden & chosen(batch, lost, rng)[:, None, None]
    return ~(hidden | (chosen(batch, 0.25, rng)[:, None, None] & toes))
