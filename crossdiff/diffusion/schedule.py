"""Noise schedule and solvers, from diffusers: 1000 cosine steps, the network predicts x_start."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, get_args

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput
from jaxtyping import Float, Int
from torch import Tensor

from crossdiff.errors import InputError

Solver = Literal["dpm++", "ddim", "ddpm"]
NUM_STEPS = 1000

_COMMON: dict[str, Any] = {
    "num_train_timesteps": NUM_STEPS,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "sample",
}
# "trailing" starts at pure noise however few the steps (Lin et al. 2024, table 2).
_FEW_STEPS = {**_COMMON, "timestep_spacing": "trailing"}


class _DDIM(DDIMScheduler):
    """Steps from each timestep to the one that comes next.

    diffusers' own class takes t - 1000 // steps for the next timestep, which is another one where the steps do not
    divide 1000: noise is then left in the result.
    """

    def step(
        self, x_start: Tensor, t: int, x: Tensor, eta: float = 0.0, variance_noise: Tensor | None = None
    ) -> DDIMSchedulerOutput:
        """Equation 12 of Song et al. 2021, its sigma times `eta` as in equation 16."""
        below = self.timesteps[self.timesteps < t]
        kept = self.alphas_cumprod[t]
        kept_next = self.alphas_cumprod[below[0]] if len(below) else torch.ones_like(kept)
        variance = eta**2 * (1 - kept_next) / (1 - kept) * (1 - kept / kept_next)
        noise = (x - kept.sqrt() * x_start) / (1 - kept).sqrt()
        x = kept_next.sqrt() * x_start + (1 - kept_next - variance).clamp_min(0).sqrt() * noise
        if variance_noise is not None:
            x = x + variance.sqrt() * variance_noise
        return DDIMSchedulerOutput(prev_sample=x, pred_original_sample=x_start)


@cache
def _training_schedule() -> DDPMScheduler:
    return DDPMScheduler(variance_type="fixed_small", clip_sample=False, **_COMMON)


def add_noise(
    x_start: Float[Tensor, "b t d"], noise: Float[Tensor, "b t d"], t: Int[Tensor, " b"]
) -> Float[Tensor, "b t d"]:
    """x_t of equation 1 in closed form, for a timestep 0..999 per row."""
    return _training_schedule().add_noise(x_start, noise, t)


def make_solver(name: str, num_inference_steps: int, begin: int = 0) -> Any:
    """A diffusers scheduler with its timesteps set: DPM-Solver++ (2M) or DDIM.

    The paper's ancestral DDPM with the posterior's variance is DDIM with eta = 1 (Song et al. 2021, equation 16).
    `begin`: index of the first timestep that will be stepped from, with an empty history.
    """
    if name not in get_args(Solver):
        raise InputError(f"solver: expected one of {', '.join(get_args(Solver))}, got {name!r}")
    if not 1 <= num_inference_steps <= NUM_STEPS:
        raise InputError(f"steps: expected 1 to {NUM_STEPS}, got {num_inference_steps}")
    if name == "dpm++":
        solver: Any = DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", solver_order=2, **_FEW_STEPS)
    else:
        solver = _DDIM(clip_sample=False, **_FEW_STEPS)
    solver.set_timesteps(num_inference_steps)
    if name == "dpm++":
        solver.set_begin_index(begin)
    return solver
