"""Filters along the frames of a clip."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
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


def smoothest_curve(wanted: Float[ndarray, "t c"], weight: Float[ndarray, " t"]) -> Float[ndarray, "t c"]:
    """The curve with the least sum of squared second differences and of weighted squared distances from `wanted`.

    Whittaker's smoother: (W + D'D) s = W y, with D the second differences. With one weight w for all frames it is a
    low-pass filter without delay, also at the ends, of about w^(-1/4) frames.
    """
    from scipy.linalg import solveh_banded  # slow to import

    count = len(wanted)
    if count < 3:
        return wanted
    # The diagonal of W + D'D and the two below it, as sums over the rows (1, -2, 1) of D.
    bands = np.zeros((3, count))
    for offset, coefficient in enumerate((1.0, -2.0, 1.0)):
        for band, other in enumerate((1.0, -2.0, 1.0)[offset:]):
            bands[band, offset : count - 2 + offset] += coefficient * other
    bands[0] += weight
    return np.asarray(solveh_banded(bands, weight[:, None] * wanted, lower=True))
