"""The cosine noise schedule, and clean values from a network's prediction."""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

NUM_STEPS = 1000
# Nichol and Dhariwal 2021, section 3.2.
_OFFSET, _MAX_BETA = 0.008, 0.999


@cache
def noise_schedule(device: str | torch.device = "cpu") -> Float[Tensor, " 1000"]:
    """Signal's fraction of the variance, alpha-bar, at every timestep (Nichol and Dhariwal 2021, equation 17)."""

    def signal(at: float) -> float:
        return math.cos((at + _OFFSET) / (1 + _OFFSET) * math.pi / 2) ** 2

    ratios = [signal((t + 1) / NUM_STEPS) / signal(t / NUM_STEPS) for t in range(NUM_STEPS)]
    betas = torch.tensor([min(1 - ratio, _MAX_BETA) for ratio in ratios], dtype=torch.float32)
    return (1 - betas).cumprod(0).to(device)


def kept_signal(t: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """Signal's fraction of the variance, alpha-bar, at each timestep."""
    return noise_schedule(t.device)[t]


def x_start_of_v(x: Float[Tensor, "b t d"], v: Float[Tensor, "b t d"], t: Int[Tensor, " b"]) -> Float[Tensor, "b t d"]:
    """Clean values from noisy ones and the velocity v = sqrt(a) noise - sqrt(1 - a) x_start (Salimans and Ho 2022)."""
    kept = kept_signal(t)[:, None, None]  # float32: in bf16, 1 - kept would be 0 at small t
    return kept.sqrt() * x - (1 - kept).sqrt() * v
