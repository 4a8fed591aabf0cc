"""Cameras that tilt and stand near, and what they show."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from crossdiff.data.simulation.noise import chosen, uniform
from crossdiff.representation.projection import rotate_y
from crossdiff.skeleton import Skeleton

# Length of the way that a body is scaled by, and the share of frames that are shorter: as in the pipeline's
# `pixels_per_metre`.
BODY_WAY, _QUANTILE = 1.453, 0.9
# Nearest distance to a camera, in metres.
_NEAREST = 0.8
_RATIO = 0.12


def film(
    joints: Float[Tensor, "b t j 3"],
    tilted: float,
    near: float,
    stretched: float,
    skeleton: Skeleton,
    rng: Generator,
) -> Float[Tensor, "b t j 2"]:
    """Joints of clips (metres, Y up) in pictures from any side: y up, scaled to the skeleton's body.

    tilted: share of cameras that look down, or a little up, and roll; near: share at 2.5 to 12 m, the others are
    orthographic; stretched: share of pictures whose pixels are not square.
    """
    batch = len(joints)
    joints = joints - joints[:, :, :1].mean(1, keepdim=True)
    yaw = rotate_y(torch.eye(3).expand(batch, 3, 3), uniform((batch, 1), 0, 360, rng))
    tilts = chosen(batch, tilted, rng)
    pitch = torch.where(tilts, uniform((batch,), -10, 40, rng), torch.zeros(())).deg2rad()
    roll = torch.where(tilts, 5.0 * torch.randn(batch, generator=rng), torch.zeros(())).deg2rad()
    turn = yaw @ _about_x(pitch) @ _about_z(roll)
    placed = joints @ turn[:, None]
    distance = (uniform((batch,), math.log(2.5), math.log(12.0), rng)).exp()
    distance = torch.maximum(distance, placed[..., 2].amax((1, 2)) + _NEAREST)
    nearby = chosen(batch, near, rng)[:, None, None, None]
    flat = torch.where(nearby, perspective(placed, distance), placed[..., :2])
    aspect = torch.where(chosen(batch, stretched, rng), uniform((batch,), -_RATIO, _RATIO, rng), torch.zeros(())).exp()
    flat = flat * torch.stack([aspect, torch.ones_like(aspect)], -1)[:, None, None]
    return flat * (BODY_WAY / longest_way(flat, skeleton))[:, None, None, None]


def perspective(placed: Float[Tensor, "b t j 3"], distance: Float[Tensor, " b"]) -> Float[Tensor, "b t j 2"]:
    """Projection of joints along a camera's axes (z towards it), as large at z = 0 as they are; distance: of z = 0."""
    away = distance[:, None, None]
    return placed[..., :2] * (away / (away - placed[..., 2]))[..., None]


def longest_way(joints: Float[Tensor, "b t j c"], skeleton: Skeleton) -> Float[Tensor, " b"]:
    """The 90th percentile, over frames and sides, of the way from the neck over pelvis and knee to the ankle."""
    ways = []
    for side in ("l", "r"):
        names = ("neck", "pelvis", f"{side}_knee", f"{side}_ankle")
        points = joints[:, :, [skeleton.index(name) for name in names]]
        ways.append((points[:, :, 1:] - points[:, :, :-1]).norm(dim=-1).sum(-1))
    return torch.quantile(torch.cat(ways, 1), _QUANTILE, dim=1).clamp_min(0.2)


def _about_x(angle: Float[Tensor, " b"]) -> Float[Tensor, "b 3 3"]:
    """Matrices for row vectors; a positive angle shows the body from above."""
    c, s, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    return torch.stack([one, zero, zero, zero, c, s, zero, -s, c], -1).unflatten(-1, (3, 3))


def _about_z(angle: Float[Tensor, " b"]) -> Float[Tensor, "b 3 3"]:
    c, s, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    return torch.stack([c, s, zero, -s, c, zero, zero, zero, one], -1).unflatten(-1, (3, 3))
