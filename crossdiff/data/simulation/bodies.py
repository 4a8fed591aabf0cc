"""Poses and bodies beyond the data: limbs turned, upper and lower bodies of two clips, bodies turned over."""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from crossdiff.data.simulation.noise import chosen, smooth_signal, uniform
from crossdiff.representation.projection import rotate_y
from crossdiff.skeleton import Skeleton

# Joints about which the rest of a chain is turned, from the trunk outwards.
_HINGES = ("spine1", "neck", "l_shoulder", "r_shoulder", "l_hip", "r_hip", "l_elbow", "r_elbow", "l_knee", "r_knee")
_UPPER = ("spine", "neck", "collar", "head", "shoulder", "elbow", "wrist")


def mix_halves(
    joints: Float[Tensor, "b t j 3"], rows: Bool[Tensor, " b"], skeleton: Skeleton
) -> Float[Tensor, "b t j 3"]:
    """In these rows the body above the pelvis is that of the next row, turned to the heading of this one."""
    other = joints.roll(1, 0)
    turn = _heading(joints, skeleton) - _heading(other, skeleton)
    upper = [j for j, name in enumerate(skeleton.joint_names) if any(part in name for part in _UPPER)]
    above = rotate_y(other[:, :, upper] - other[:, :, :1], turn[..., None])
    mixed = joints.clone()
    mixed[:, :, upper] = joints[:, :, :1] + above
    return torch.where(rows[:, None, None, None], mixed, joints)


def bend(
    joints: Float[Tensor, "b t j 3"], rows: Bool[Tensor, " b"], degrees: float, skeleton: Skeleton, rng: Generator
) -> Float[Tensor, "b t j 3"]:
    """In these rows some limbs are turned smoothly about their first joint, by angles of this standard deviation."""
    batch, frames = joints.shape[:2]
    for name in _HINGES:
        hinge = skeleton.index(name)
        below = _below(skeleton, hinge)
        steady = torch.randn(batch, 1, 3, generator=rng)
        moving = smooth_signal(batch, frames, 3, uniform((1,), 4.0, 15.0, rng).item(), rng)
        part = uniform((batch, 1, 1), 0.0, 1.0, rng)
        vector = math.radians(degrees) * (part.sqrt() * steady + (1 - part).sqrt() * moving)
        vector = vector * (rows & chosen(batch, 0.5, rng))[:, None, None]
        centre = joints[:, :, hinge, None]
        arm = joints[:, :, below] - centre
        turned = centre + torch.einsum("btxy,btjy->btjx", rotation_matrices(vector), arm)
        joints = joints.index_copy(2, torch.tensor(below), turned)
    return joints


def turn_over(joints: Float[Tensor, "b t j 3"], rows: Bool[Tensor, " b"], rng: Generator) -> Float[Tensor, "b t j 3"]:
    """In these rows the whole body is turned about a horizontal axis through the root, by up to half a turn."""
    batch, frames = joints.shape[:2]
    azimuth, angle = uniform((batch, 1), 0, 2 * math.pi, rng), uniform((batch, 1), -math.pi, math.pi, rng)
    rocking = smooth_signal(batch, frames, 2, 12.0, rng) * uniform((batch, 1, 1), 0.0, 0.5, rng)
    angle = angle + rocking[..., 0]
    azimuth = azimuth + rocking[..., 1]
    axis = torch.stack([azimuth.cos(), torch.zeros_like(azimuth), azimuth.sin()], -1)
    turn = rotation_matrices(axis * angle[..., None] * rows[:, None, None])
    root = joints[:, :, :1]
    return root + torch.einsum("btxy,btjy->btjx", turn, joints - root)


def reshape_body(
    joints: Float[Tensor, "b t j 3"], spread: float, skeleton: Skeleton, rng: Generator
) -> Float[Tensor, "b t j 3"]:
    """The same motion on bodies with other proportions: each bone, alike on both sides, up to a few `spread` longer."""
    batch = len(joints)
    factors = (spread * torch.randn(batch, skeleton.num_joints, generator=rng)).exp()
    factors = (factors + factors[:, list(skeleton.mirror)]) / 2
    placed = {0: joints[:, :, 0]}
    for parent, joint in skeleton.bones:
        bone = joints[:, :, joint] - joints[:, :, parent]
        placed[joint] = placed[parent] + bone * factors[:, None, joint, None]
    return torch.stack([placed[j] for j in range(skeleton.num_joints)], 2)


def _heading(joints: Tensor, skeleton: Skeleton) -> Float[Tensor, "b t"]:
    """Degrees by which `rotate_y` turns +Z to where the hips face."""
    r_hip, l_hip = skeleton.facing[:2]
    across = joints[:, :, l_hip] - joints[:, :, r_hip]
    return torch.rad2deg(torch.atan2(across[..., 2], across[..., 0]))


def rotation_matrices(vector: Float[Tensor, "b t 3"]) -> Float[Tensor, "b t 3 3"]:
    """Rotation matrices of rotation vectors (Rodrigues' formula)."""
    angle = vector.norm(dim=-1).clamp_min(1e-8)[..., None, None]
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.eye(3) + (angle.sin() / angle) * cross + ((1 - angle.cos()) / angle**2) * (cross @ cross)


@cache
def _below(skeleton: Skeleton, hinge: int) -> list[int]:
    """The joints that move with a joint, without itself."""
    moved = {hinge}
    for parent, joint in skeleton.bones:
        if parent in moved:
            moved.add(joint)
    return sorted(moved - {hinge})
