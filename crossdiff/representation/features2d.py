"""2D joints <-> the redundant 2D features of CrossDiff (paper, section 3.2), batched in torch."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.moved import moved_names
from crossdiff.representation.layouts import Layout2D, layout_2d
from crossdiff.skeleton import HUMANML3D, Skeleton

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

# A bone shorter than this (in the units of the joints) has no direction.
MIN_BONE = 1e-6
# Squared displacement per frame, in the units of the joints, below which a foot is in contact.
CONTACT_THRESHOLD = 0.002


@cache
def _bone_table(skeleton: Skeleton, device: torch.device) -> tuple[Tensor, Tensor]:
    """For joints 1..J-1: the parent, and the index of the previous bone.

    The bone that ends at joint j has index j - 1; at the start of a chain the index is J - 1, after the last bone.
    """
    joints = range(1, skeleton.num_joints)
    parent, previous = {}, {}
    for chain in skeleton.chains:
        for i in range(1, len(chain)):
            parent[chain[i]] = chain[i - 1]
            previous[chain[i]] = chain[i - 1] - 1 if i > 1 else skeleton.num_joints - 1
    return (
        torch.tensor([parent[j] for j in joints], device=device),
        torch.tensor([previous[j] for j in joints], device=device),
    )


def joints_to_features_2d(
    joints: Float[Tensor, "*b t j 2"],
    skeleton: Skeleton = HUMANML3D,
    layout: Layout2D = "paper",
    valid: Bool[Tensor, "*b t j"] | None = None,
    path_known: bool | Bool[Tensor, " t"] = True,
) -> tuple[Float[Tensor, "*b t-1 d"], Bool[Tensor, "*b t-1 d"]]:
    """2D features of T - 1 frames from T frames of joints, and a mask of the reliable values.

    joints: y up, metres (body-scaled for videos); the position of frame 0's root does not matter.
    valid: True where a joint is visible; None: all.
    path_known: False if the root's path is unknown; then root, velocities and contacts are masked. Of one clip, it may
    be given for each frame: whether the root's movement since the frame before is known.

    Row t has positions and rotations of frame t, and root velocity, joint velocities and contacts from t to t + 1. A
    value is masked if any joint it depends on is invisible; a zero-length bone has rotation (1, 0) and is masked.
    Finite input never gives NaN.
    """
    # Points are complex numbers: a product rotates them, in one operation instead of four.
    if valid is not None:
        joints = torch.where(valid[..., None], joints, joints.new_zeros(()))
    points = torch.complex(joints[..., 0], joints[..., 1])
    now, step = points[..., :-1, :], points[..., 1:, :] - points[..., :-1, :]
    root = step[..., :1] if layout == "paper" else points[..., 1:, :1] - points[..., :1, :1]
    turn, directed = _rotations(now, skeleton)
    moving = layout_2d(skeleton, layout).velocity_joints
    feet = list(skeleton.feet)
    contact = _squared(step[..., feet]) < CONTACT_THRESHOLD
    features = torch.cat(
        [
            _pairs(root),
            _pairs(now[..., 1:] - now[..., :1]),
            _pairs(turn),
            _pairs(step[..., moving[0] :]),
            contact.to(joints.dtype),
        ],
        dim=-1,
    )
    slices = layout_2d(skeleton, layout)
    if valid is None:
        mask = torch.ones_like(features, dtype=torch.bool)
        mask[..., slices.rotations] = directed.repeat_interleave(2, dim=-1)
    else:
        mask = _mask(valid, directed, skeleton, layout)
    path = torch.as_tensor(path_known, device=mask.device).expand(points.shape[-2])
    if not path.all():
        unknown = ~path[1:, None]  # of each row's step to the next frame
        mask &= ~(unknown & torch.from_numpy(slices.moving).to(mask.device))
        if layout == "official":  # its root is a position, unknown from the first unknown step on
            mask[..., slices.root] &= unknown.cumsum(0) == 0
    elif valid is None:
        return features, mask
    return torch.where(mask, features, _neutral(features, skeleton, layout)), mask


def _rotations(points: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """(cos, -sin), as complex numbers, of the angle from the previous bone to each bone; and where it is defined."""
    parents, previous = _bone_table(skeleton, points.device)
    bone = points[..., 1:] - points.index_select(-1, parents)
    square = _squared(bone)
    directed = square > MIN_BONE**2
    unit = bone / square.clamp_min(MIN_BONE**2).sqrt()
    # Bones are stored at joint - 1; the reference direction (1, 0) of the chains' starts is appended.
    before = torch.cat([unit, torch.ones_like(unit[..., :1])], dim=-1).index_select(-1, previous)
    directed = directed & _of_previous(directed, previous)
    return torch.where(directed, unit.conj() * before, torch.ones((), dtype=unit.dtype, device=unit.device)), directed


def _mask(valid: Tensor, directed: Tensor, skeleton: Skeleton, layout: Layout2D) -> Tensor:
    """Mask of the values that depend on visible joints only."""
    parents, previous = _bone_table(skeleton, valid.device)
    now, both = valid[..., :-1, :], valid[..., 1:, :] & valid[..., :-1, :]
    root = both[..., :1] if layout == "paper" else valid[..., 1:, :1] & valid[..., :1, :1]
    bone = now[..., 1:] & now[..., parents]
    before = _of_previous(bone, previous)
    moving = layout_2d(skeleton, layout).velocity_joints
    pairs = torch.cat([root, now[..., 1:] & now[..., :1], bone & before & directed, both[..., moving[0] :]], dim=-1)
    return torch.cat([pairs.repeat_interleave(2, dim=-1), both[..., list(skeleton.feet)]], dim=-1)


def _of_previous(bones: Tensor, previous: Tensor) -> Tensor:
    """The flag of the bone preceding each bone; True at the start of a chain."""
    return torch.cat([bones, torch.ones_like(bones[..., :1])], dim=-1).index_select(-1, previous)


def _pairs(points: Tensor) -> Tensor:
    """(x, y) of complex numbers, interleaved."""
    return torch.view_as_real(points.resolve_conj()).flatten(-2)


def _squared(points: Tensor) -> Tensor:
    return torch.view_as_real(points).square().sum(-1)


def _neutral(like: Tensor, skeleton: Skeleton, layout: Layout2D) -> Tensor:
    """Neutral values for masked ones: no displacement, no rotation."""
    neutral = like.new_zeros(like.shape[-1])
    neutral[layout_2d(skeleton, layout).rotations][0::2] = 1.0
    return neutral


def features_to_joints(
    features: Float[Tensor, "*b t d"], skeleton: Skeleton = HUMANML3D, layout: Layout2D = "paper"
) -> Float[Tensor, "*b t j 2"]:
    """Joints (y up, metres) of the T frames that the features describe; frame 0's root is at the origin."""
    slices = layout_2d(skeleton, layout)
    root_part = features[..., slices.root]
    moved = root_part.cumsum(-2) if layout == "paper" else root_part
    root = torch.cat([torch.zeros_like(moved[..., :1, :]), moved[..., :-1, :]], dim=-2)
    local = features[..., slices.positions].unflatten(-1, (skeleton.num_joints - 1, 2))
    return torch.cat([root[..., None, :], local + root[..., None, :]], dim=-2)
