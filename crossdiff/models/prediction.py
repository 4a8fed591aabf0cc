"""The noise schedule's constants, and clean values from a network's prediction."""

from __future__ import annotations

from functools import cache
from typing import Any

from diffusers import DDPMScheduler
from jaxtyping import Float, Int
from torch import Tensor

NUM_STEPS = 1000
# Arguments of all diffusers classes here: 1000 cosine steps, networks predict x_start.
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": NUM_STEPS,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "sample",
}


@cache
def _kept_signal() -> Float[Tensor, " 1000"]:
    return DDPMScheduler(**SCHEDULE).alphas_cumprod


def kept_signal(t: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """Signal's fraction of the variance, alpha-bar, at each timestep."""
    return _kept_signal().to(t.device)[t]


def x_start_of_v(x: Float[Tensor, "b t d"], v: Float[Tensor, "b t d"], t: Int[Tensor, " b"]) -> Float[Tensor, "b t d"]:
    """Clean values from noisy ones and the velocity v = sqrt(a) noise - sqrt(1 - a) x_start (Salimans and Ho 2022)."""
    kept = kept_signal(t)[:, None, None]  # float32: in bf16, 1 - kept would be 0 at small t
    return kept.sqrt() * x - (1 - kept).sqrt() * v
