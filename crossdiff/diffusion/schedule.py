"""Noise schedule and solvers of diffusers: 1000 cosine steps, and a network that predicts x_start."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput
from jaxtyping import Float, Int
from torch import Tensor

from crossdiff.diffusion.solvers import check_solver
from crossdiff.errors import InputError
from crossdiff.models.prediction import NUM_STEPS, SCHEDULE


class _DDIM(DDIMScheduler):
    """Steps from each timestep to the next one of the list.

    diffusers' class assumes t - 1000 // steps to be the next timestep. If the number of steps does not divide 1000,
    that is a different one, and noise is left in the result.
    """

    def step(
        self, x_start: Tensor, t: int, x: Tensor, eta: float = 0.0, variance_noise: Tensor | None = None
    ) -> DDIMSchedulerOutput:
        """Equation 12 of Song et al. 2021, with sigma scaled by `eta` as in equation 16."""
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
    return DDPMScheduler(variance_type="fixed_small", clip_sample=False, **SCHEDULE)


def add_noise(
    x_start: Float[Tensor, "b t d"], noise: Float[Tensor, "b t d"], t: Int[Tensor, " b"]
) -> Float[Tensor, "b t d"]:
    """x_t of equation 1 in closed form, for one timestep (0 to 999) per row."""
    return _training_schedule().add_noise(x_start, noise, t)


def inference_timesteps(num_inference_steps: int) -> list[int]:
    """Evenly spaced timesteps, from 999 down.

    This "trailing" spacing starts at pure noise for any number of steps (Lin et al. 2024, table 2). diffusers' list has
    one entry too many, t = -1, for some numbers of steps, such as 61.
    """
    if not 1 <= num_inference_steps <= NUM_STEPS:
        raise InputError(f"steps: expected 1 to {NUM_STEPS}, got {num_inference_steps}")
    return [round(NUM_STEPS - i * NUM_STEPS / num_inference_steps) - 1 for i in range(num_inference_steps)]


def mixture_timesteps(timesteps: Sequence[int], switch_step: int) -> list[int]:
    """The timesteps, with alpha in place of the first one that is not above it.

    If none is below alpha, t = 0 follows it, so that 3D is denoised at least once; with alpha = 0 nothing is left to
    denoise. The full list of 1000 timesteps does not change.
    """
    above = [t for t in timesteps if t > switch_step]
    below = list(timesteps[len(above) + 1 :])
    if not below and switch_step > 0:
        below = [0]
    return [*above, switch_step, *below]


def make_solver(name: str, timesteps: Sequence[int]) -> Any:
    """A diffusers scheduler for falling timesteps, with an empty history: DPM-Solver++ (2M) or DDIM.

    The paper's ancestral DDPM with the posterior's variance is DDIM with eta = 1 (Song et al. 2021, equation 16).
    """
    check_solver(name)
    if name == "dpm++":
        solver: Any = DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", solver_order=2, **SCHEDULE)
        solver.set_timesteps(timesteps=list(timesteps))
    else:
        solver = _DDIM(clip_sample=False, **SCHEDULE)
        solver.timesteps = torch.tensor(timesteps)
    return solver
