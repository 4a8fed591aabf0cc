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


def aligned(points: Float[Tensor, "*b n 3"], target: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b n 3"]:
    """Each set of points rotated, scaled and shifted to where it is nearest to its target."""
    middle = target.mean(-2, keepdim=True)
    x, y = points - points.mean(-2, keepdim=True), target - middle
    turn, agreement = turns(x.mT @ y)
    scale = agreement / x.square().sum((-2, -1)).clamp_min(1e-12)
    return scale[..., None, None] * (x @ turn) + middle
