"""Which way is up in a picture, judged by how a body keeps its balance."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from crossdiff.representation.rotations import unit
from crossdiff.skeleton import Skeleton

# Segments between two joints: share of the body's mass, and the place of its centre between them (de Leva 1996; the
# trunk from the pelvis to the neck, the forearm with the hand).
_MIDDLE = (("neck", "head", 0.069, 0.9), ("pelvis", "neck", 0.435, 0.55))
_SIDES = (
    ("shoulder", "elbow", 0.027, 0.57),
    ("elbow", "wrist", 0.022, 0.7),
    ("hip", "knee", 0.142, 0.41),
    ("knee", "ankle", 0.043, 0.44),
    ("ankle", "foot", 0.014, 0.4),
)
# Metres per second by which the slower foot's share of the support grows by a factor of e.
_SLOWER = 0.3
# Spread in degrees of the directions from the support to the centre of mass at which their mean is trusted as much as
# the lifted body, and the power by which the trust falls; measured on simulated film (docs/experiments/film.md).
_SPREAD, _POWER = 12.0, 4.0
# Metres per second in the picture at which it is trusted half as much: vaults and sprints are not balanced.
_SPEED = 1.2


def up_direction(
    body: Float[Tensor, "t j 3"],
    path: Float[Tensor, "t 2"],
    lifted: Float[Tensor, "3"],
    skeleton: Skeleton,
) -> Float[Tensor, "3"]:
    """The direction upwards, of length 1, along a camera's axes.

    body: joints of one clip along these axes (metres); path: the root's in the picture; lifted: upwards as the lifted
    body has it, which takes a tilted camera for a leaning body in part.

    Who keeps the balance has the centre of mass above the support on average, however the body leans: the support is
    the foot that moves less in the picture. The more the direction from one to the other varies, and the faster the
    root moves, the more counts what was lifted.
    """
    above = _centre_of_mass(body, skeleton) - _support(body, path, skeleton)
    balance = unit(above.mean(0))
    angles = torch.rad2deg((unit(above) @ balance).clamp(-1, 1).arccos())
    speed = path.diff(dim=0).norm(dim=-1).mean().nan_to_num() * skeleton.fps
    trust = 1 / (1 + (angles.square().mean().sqrt() / _SPREAD) ** _POWER) / (1 + (speed / _SPEED) ** _POWER)
    return unit(trust * balance + (1 - trust) * lifted)


def _centre_of_mass(body: Float[Tensor, "t j 3"], skeleton: Skeleton) -> Float[Tensor, "t 3"]:
    segments = [*_MIDDLE]
    for side in ("l_", "r_"):
        segments += [(side + start, side + end, mass, place) for start, end, mass, place in _SIDES]
    shares = body.new_zeros(skeleton.num_joints)
    for start, end, mass, place in segments:
        shares[skeleton.index(start)] += mass * (1 - place)
        shares[skeleton.index(end)] += mass * place
    return torch.einsum("j,tjc->tc", shares / shares.sum(), body)


def _support(body: Float[Tensor, "t j 3"], path: Float[Tensor, "t 2"], skeleton: Skeleton) -> Float[Tensor, "t 3"]:
    """The mean of the foot joints, of which slower ones count more."""
    feet = body[:, list(skeleton.feet)]
    placed = feet[..., :2] - body[:, :1, :2] + path[:, None]
    steps = placed.diff(dim=0).norm(dim=-1) * skeleton.fps
    speed = torch.cat([steps[:1], steps]) if len(steps) else feet.new_zeros(feet.shape[:2])
    return (torch.softmax(-speed / _SLOWER, dim=1)[..., None] * feet).sum(1)
