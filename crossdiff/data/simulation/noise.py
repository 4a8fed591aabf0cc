"""Random signals along time, batched in torch."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from crossdiff.representation.filters import gaussian_in_time


def uniform(shape: tuple[int, ...], low: float, high: float, rng: Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=rng)


def chosen(count: int, share: float, rng: Generator) -> Bool[Tensor, " b"]:
    """True for about this share of the rows."""
    return torch.rand(count, generator=rng) < share


def autoregressive(shape: tuple[int, ...], frames: float, rng: Generator) -> Tensor:
    """Noise of unit variance, of which frames (axis 1) that are n apart correlate by exp(-n / `frames`)."""
    keep = math.exp(-1 / frames)
    steps = torch.randn(shape, generator=rng)
    out = [steps[:, 0]]
    for step in steps[:, 1:].unbind(1):
        out.append(keep * out[-1] + math.sqrt(1 - keep**2) * step)
    return torch.stack(out, 1)


def smooth_signal(batch: int, frames: int, signals: int, sigma: float, rng: Generator) -> Float[Tensor, "b t n"]:
    """Gaussian noise of unit variance, smoothed by a Gaussian of `sigma` frames."""
    values = torch.randn(batch, frames, signals, generator=rng)
    # The mean of squared weights of a Gaussian filter is 1 / (2 sqrt(pi) sigma).
    return gaussian_in_time(values, sigma) * math.sqrt(2 * math.sqrt(math.pi) * sigma)


def stretches(shape: tuple[int, ...], rate: Tensor | float, frames: float, rng: Generator) -> Bool[Tensor, "..."]:
    """True over intervals along axis 1 that begin at `rate` per frame and last `frames` on average."""
    begins = torch.rand(shape, generator=rng) < rate
    ends = torch.rand(shape, generator=rng) < 1 / frames
    state, out = torch.zeros_like(begins[:, 0]), []
    for begin, end in zip(begins.unbind(1), ends.unbind(1), strict=True):
        state = begin | (state & ~end)
        out.append(state)
    return torch.stack(out, 1)
