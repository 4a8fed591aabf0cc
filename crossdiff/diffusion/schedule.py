"""Timesteps of sampling and the solvers, for a network that predicts x_start under 1000 cosine steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from crossdiff.diffusion.solvers import check_solver
from crossdiff.errors import InputError
from crossdiff.models.prediction import NUM_STEPS, kept_signal, noise_schedule

_DENSITY = 2.0  # 1: evenly spaced timesteps


def add_noise(
    x_start: Float[Tensor, "b t d"], noise: Float[Tensor, "b t d"], t: Int[Tensor, " b"]
) -> Float[Tensor, "b t d"]:
    """x_t of equation 1 in closed form, for one timestep (0 to 999) per row."""
    kept = kept_signal(t.to(x_start.device))[:, None, None]
    return kept.sqrt() * x_start + (1 - kept).sqrt() * noise


def inference_timesteps(num_inference_steps: int) -> list[int]:
    """Timesteps from 999 down, denser where there is more noise: t_i = 1000 (1 - (i / n)^2) - 1; 1000 of them are all.

    They start at pure noise for any number of steps (Lin et al. 2024, table 2). With even steps, the first ones are too
    long for the signal to grow as it should: of 20, a squat kept half of the depth that 100 give it.
    """
    if not 1 <= num_inference_steps <= NUM_STEPS:
        raise InputError(f"steps: expected 1 to {NUM_STEPS}, got {num_inference_steps}")
    timesteps: list[int] = []
    for i in range(num_inference_steps):
        t = round(NUM_STEPS * (1 - (i / num_inference_steps) ** _DENSITY)) - 1
        t = min(t, timesteps[-1] - 1) if timesteps else t
        timesteps.append(max(t, num_inference_steps - 1 - i))  # enough of them are left for the rest
    return timesteps


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


class DiffusionSolver(Protocol):
    """Steps from each timestep of a falling list to the next, and from the last to clean motion."""

    def step(
        self, x_start: Float[Tensor, "b t d"], t: int, x: Float[Tensor, "b t d"], noise: Tensor | None = None
    ) -> Float[Tensor, "b t d"]:
        """x at the timestep that follows t, from the predicted x_start. noise: of ancestral sampling."""
        ...


class DDIM:
    """Equation 12 of Song et al. 2021, with sigma scaled by `eta` as in equation 16; eta = 1 is ancestral DDPM.

    diffusers' class assumes t - 1000 // steps to be the next timestep. If the number of steps does not divide 1000,
    that is a different one, and noise is left in the result.
    """

    def __init__(self, timesteps: Sequence[int], eta: float = 0.0) -> None:
        self._eta = eta
        self._kept = _kept_from(timesteps)

    def step(self, x_start: Tensor, t: int, x: Tensor, noise: Tensor | None = None) -> Tensor:
        kept, kept_next = self._kept[t]
        variance = self._eta**2 * (1 - kept_next) / (1 - kept) * (1 - kept / kept_next)
        direction = (x - kept.sqrt() * x_start) / (1 - kept).sqrt()
        x = kept_next.sqrt() * x_start + (1 - kept_next - variance).clamp_min(0).sqrt() * direction
        return x if noise is None else x + variance.sqrt() * noise


class DPMSolver:
    """DPM-Solver++ (2M), algorithm 2 of Lu et al. 2022: keeps the last prediction; first and last step are of order 1.

    The last step leads to a log-SNR without limit, for which there is no second order.
    """

    def __init__(self, timesteps: Sequence[int]) -> None:
        self._kept = _kept_from(timesteps)
        self._before: tuple[Tensor, Tensor] | None = None  # x_start of the step before, and its length in log-SNR

    def step(self, x_start: Tensor, t: int, x: Tensor, noise: Tensor | None = None) -> Tensor:
        del noise
        kept, kept_next = self._kept[t]
        noise_ratio, noise_ratio_next = ((1 - k).sqrt() / k.sqrt() for k in (kept, kept_next))
        length = noise_ratio.log() - noise_ratio_next.log()  # h of the paper
        target = x_start
        if self._before is not None and kept_next < 1:
            x_start_before, length_before = self._before
            target = x_start + 0.5 * length / length_before * (x_start - x_start_before)
        self._before = x_start, length
        shrink = (1 - kept_next).sqrt() / (1 - kept).sqrt()
        return shrink * x + kept_next.sqrt() * (1 - noise_ratio_next / noise_ratio) * target


def _kept_from(timesteps: Sequence[int]) -> dict[int, tuple[Tensor, Tensor]]:
    """Signal's fraction of the variance at each timestep and at the one that follows it; 1 after the last."""
    kept = [*noise_schedule()[list(timesteps)], torch.tensor(1.0)]
    return dict(zip(timesteps, pairwise(kept), strict=True))


def make_solver(name: str, timesteps: Sequence[int]) -> DiffusionSolver:
    """A solver for falling timesteps, with an empty history: "dpm++", "ddim" or "ddpm".

    The paper's ancestral DDPM with the posterior's variance is DDIM with eta = 1 (Song et al. 2021, equation 16).
    """
    check_solver(name)
    if name == "dpm++":
        return DPMSolver(timesteps)
    return DDIM(timesteps, eta=1.0 if name == "ddpm" else 0.0)
