"""2D joints <-> the redundant 2D features of CrossDiff (paper, section 3.2), batched in torch."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.representation.layouts import Layout2D, layout_2d
from crossdiff.skeleton import HUMANML3D, Skeleton

# A bone shorter than this (in the units of the joints) has no direction.
MIN_BONE = 1e-6
# Squared displacement per frame, in the units of the joints, below which a foot counts as standing.
CONTACT_THRESHOLD = 0.002


@cache
def _bone_table(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """For joints 1..J-1: the parent of its bone, and the joint that ends the bone before it (-1 at a chain's start)."""
    parent, previous = {}, {}
    for chain in skeleton.chains:
        for i in range(1, len(chain)):
            parent[chain[i]] = chain[i - 1]
            previous[chain[i]] = chain[i - 1] if i > 1 else -1
    joints = range(1, skeleton.num_joints)
    return [parent[j] for j in joints], [previous[j] for j in joints]


def joints_to_features(
    joints: Float[Tensor, "*b t j 2"],
    skeleton: Skeleton = HUMANML3D,
    layout: Layout2D = "paper",
    valid: Bool[Tensor, "*b t j"] | None = None,
) -> tuple[Float[Tensor, "*b t-1 d"], Bool[Tensor, "*b t-1 d"]]:
    """2D features of T - 1 frames from T frames of joints, and a mask of the values that can be trusted.

    joints: y up, metres (body-scaled where they come from a video); the place of frame 0's root does not matter.
    valid: True where a joint was seen; all True without it. Row t holds positions and rotations of frame t, root
    velocity, joint velocities and contacts from t to t + 1. A value is masked when any joint that it is made of
    was not seen; a zero-length bone has rotation (1, 0) and is masked. Nothing is ever NaN for finite input.
    """
    if valid is None:
        valid = torch.ones(joints.shape[:-1], dtype=torch.bool, device=joints.device)
    joints = torch.where(valid[..., None], joints, joints.new_zeros(()))
    root, root_seen = joints[..., 0, :], valid[..., 0]
    step = joints[..., 1:, :, :] - joints[..., :-1, :, :]
    step_seen = valid[..., 1:, :] & valid[..., :-1, :]

    if layout == "paper":
        root_part, root_mask = step[..., 0, :], step_seen[..., 0]
    else:
        root_part = root[..., 1:, :] - root[..., :1, :]
        root_mask = root_seen[..., 1:] & root_seen[..., :1]

    local = joints[..., :-1, 1:, :] - root[..., :-1, None, :]
    local_seen = valid[..., :-1, 1:] & root_seen[..., :-1, None]
    turn, turn_seen = _rotations(joints[..., :-1, :, :], valid[..., :-1, :], skeleton)

    joint_ids = list(layout_2d(skeleton, layout).velocity_joints)
    velocity, velocity_seen = step[..., joint_ids, :], step_seen[..., joint_ids]
    feet = list(skeleton.feet)
    contact = (step[..., feet, :].square().sum(-1) < CONTACT_THRESHOLD).to(joints.dtype)

    local_seen, turn_seen, velocity_seen = (
        seen[..., None].expand(*seen.shape, 2) for seen in (local_seen, turn_seen, velocity_seen)
    )
    features = torch.cat([root_part, local.flatten(-2), turn.flatten(-2), velocity.flatten(-2), contact], dim=-1)
    mask = torch.cat(
        [
            root_mask[..., None].expand(*root_mask.shape, 2),
            local_seen.flatten(-2),
            turn_seen.flatten(-2),
            velocity_seen.flatten(-2),
            step_seen[..., feet],
        ],
        dim=-1,
    )
    return features * mask + _neutral(features, skeleton, layout) * ~mask, mask


def _rotations(joints: Tensor, valid: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """(cos, -sin) of the angle from the previous bone of the chain to each bone, and where it is known."""
    parents, previous = _bone_table(skeleton)
    bone = joints[..., 1:, :] - joints[..., parents, :]
    length = bone.square().sum(-1).clamp_min(MIN_BONE**2).sqrt()
    unit = bone / length[..., None]
    known = valid[..., 1:] & valid[..., parents] & (length > MIN_BONE)

    # Bones are stored at joint - 1; the reference direction (1, 0) is appended and found by index -1.
    reference = unit.new_tensor([1.0, 0.0]).expand(*unit.shape[:-2], 1, 2)
    before = torch.cat([unit, reference], dim=-2)[..., [p - 1 if p > 0 else -1 for p in previous], :]
    always = torch.ones_like(known[..., :1])
    known = known & torch.cat([known, always], dim=-1)[..., [p - 1 if p > 0 else -1 for p in previous]]

    cos = (unit * before).sum(-1)
    minus_sin = unit[..., 0] * before[..., 1] - unit[..., 1] * before[..., 0]
    return torch.stack([cos, minus_sin], dim=-1), known


def _neutral(like: Tensor, skeleton: Skeleton, layout: Layout2D) -> Tensor:
    """What stands in for masked values: no displacement, no rotation."""
    neutral = like.new_zeros(like.shape[-1])
    neutral[layout_2d(skeleton, layout).rotations][0::2] = 1.0
    return neutral


def features_to_joints(
    features: Float[Tensor, "*b t d"], skeleton: Skeleton = HUMANML3D, layout: Layout2D = "paper"
) -> Float[Tensor, "*b t j 2"]:
    """Joints (y up, metres) of the T frames that the features describe; frame 0's root lies at the origin."""
    slices = layout_2d(skeleton, layout)
    root_part = features[..., slices.root]
    moved = root_part.cumsum(-2) if layout == "paper" else root_part
    root = torch.cat([torch.zeros_like(moved[..., :1, :]), moved[..., :-1, :]], dim=-2)
    local = features[..., slices.positions].unflatten(-1, (skeleton.num_joints - 1, 2))
    return torch.cat([root[..., None, :], local + root[..., None, :]], dim=-2)
