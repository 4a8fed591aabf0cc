"""Filters along the frames of a clip."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def gaussian_in_time(x: Float[Tensor, "*b t c"], sigma: float) -> Float[Tensor, "*b t c"]:
    """Zero-phase Gaussian filter of `sigma` frames, cut at 4 sigma, edge frames repeated (as scipy's "nearest")."""
    radius = int(4.0 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(x)
    rows = x.transpose(-1, -2).reshape(-1, 1, x.shape[-2])
    padded = torch.nn.functional.pad(rows, (radius, radius), mode="replicate")
    smooth = torch.nn.functional.conv1d(padded, kernel[None, None])
    return smooth.reshape(*x.shape[:-2], x.shape[-1], x.shape[-2]).transpose(-1, -2)
