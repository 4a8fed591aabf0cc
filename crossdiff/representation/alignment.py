"""Turning, scaling and shifting points to others."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def turns(products: Float[Tensor, "*b 3 3"]) -> tuple[Float[Tensor, "*b 3 3"], Float[Tensor, "*b"]]:
    """Rotations R, without reflections, for which A R is nearest to B; and the sum of A R times B.

    products: A^T B, of points in rows (Kabsch 1976; Umeyama, PAMI 1991).
    """
    u, stretch, vh = torch.linalg.svd(products)
    sign = torch.ones_like(stretch)
    sign[..., 2] = torch.linalg.det(u @ vh).sign()
    return (u * sign[..., None, :]) @ vh, (stretch * sign).sum(-1)


def best_turn(
    points: Float[Tensor, "*b n 3"], target: Float[Tensor, "*b n 3"]
) -> tuple[Float[Tensor, "*b 3 3"], Float[Tensor, "*b"]]:
    """Rotation R and scale s for which s A R is nearest to B, for points A and B in rows that keep their origins."""
    turn, agreement = turns(points.mT @ target)
    return turn, agreement / points.square().sum((-2, -1)).clamp_min(1e-12)


def aligned(points: Float[Tensor, "*b n 3"], target: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b n 3"]:
    """Each set of points rotated, scaled and shifted to where it is nearest to its target."""
    middle = target.mean(-2, keepdim=True)
    x = points - points.mean(-2, keepdim=True)
    turn, scale = best_turn(x, target - middle)
    return scale[..., None, None] * (x @ turn) + middle
