"""Quaternions (w, x, y, z) and 6D rotations, batched in torch; only what the motion features need."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def unit(vector: Float[Tensor, "*b n"], eps: float = 1e-12) -> Float[Tensor, "*b n"]:
    """The vector divided by its length; the zero vector stays zero."""
    return vector / vector.square().sum(-1, keepdim=True).clamp_min(eps**2).sqrt()


def between(
    u: Float[Tensor, "*b 3"], v: Float[Tensor, "*b 3"], axis: tuple[float, float, float] | None = None
) -> Float[Tensor, "*b 4"]:
    """The shortest rotation that takes unit vector u to unit vector v.

    For opposite vectors it is half a turn about `axis` (perpendicular to both), or about any perpendicular axis
    without it. Zero vectors give the identity.
    """
    dot = (u * v).sum(-1, keepdim=True)
    quaternion = torch.cat([1.0 + dot, torch.linalg.cross(u, v)], dim=-1)
    opposite = dot < -1.0 + 1e-6
    perpendicular = u.new_tensor(axis).expand_as(u) if axis else _any_perpendicular(u)
    half_turn = torch.cat([torch.zeros_like(dot), perpendicular], dim=-1)
    return unit(torch.where(opposite, half_turn, quaternion))


def _any_perpendicular(u: Tensor) -> Tensor:
    smallest = torch.nn.functional.one_hot(u.abs().argmin(-1), 3).to(u.dtype)
    return unit(torch.linalg.cross(u, smallest))


def multiply(a: Float[Tensor, "*b 4"], b: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 4"]:
    """Hamilton product: the rotation b, then a."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        dim=-1,
    )


def inverse(q: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 4"]:
    """Inverse of a unit quaternion."""
    return q * q.new_tensor([1.0, -1.0, -1.0, -1.0])


def rotate(q: Float[Tensor, "*b 4"], v: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """Apply the rotation; leading dimensions broadcast."""
    q, v = torch.broadcast_tensors(q, torch.cat([torch.zeros_like(v[..., :1]), v], dim=-1))
    axis, v = q[..., 1:], v[..., 1:]
    twice = 2.0 * torch.linalg.cross(axis, v)
    return v + q[..., :1] * twice + torch.linalg.cross(axis, twice)


def yaw_quaternion(half_angle: Float[Tensor, "*b"]) -> Float[Tensor, "*b 4"]:
    """Rotation about Y; HumanML3D's features hold the half angle."""
    zero = torch.zeros_like(half_angle)
    return torch.stack([half_angle.cos(), zero, half_angle.sin(), zero], dim=-1)


def to_6d(q: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 6"]:
    """First two columns of the rotation matrix, one after the other."""
    x = rotate(q, q.new_tensor([1.0, 0.0, 0.0]))
    y = rotate(q, q.new_tensor([0.0, 1.0, 0.0]))
    return torch.cat([x, y], dim=-1)
