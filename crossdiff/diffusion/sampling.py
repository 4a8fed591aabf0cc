"""Text -> motion: standard sampling, and mixture sampling in two domains (paper, section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.diffusion.schedule import NUM_STEPS, add_noise, make_solver
from crossdiff.errors import InputError
from crossdiff.models.model import CrossDiffModel
from crossdiff.types import Domain

StepCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class SamplingOptions:
    """How to sample. `switch_step` is the paper's alpha: above it 2D is denoised, from there on 3D."""

    num_inference_steps: int = 50
    guidance_scale: float = 2.5
    solver: str = "dpm++"
    mixture: bool = False
    switch_step: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.switch_step < NUM_STEPS:
            raise InputError(f"switch step: expected 0 to {NUM_STEPS - 1}, got {self.switch_step}")
        if not 0 <= self.guidance_scale < math.inf:
            raise InputError(f"guidance scale: expected a number, 0 or more, got {self.guidance_scale}")
        make_solver(self.solver, self.num_inference_steps)


@torch.no_grad()
def sample(
    model: CrossDiffModel,
    text: Float[Tensor, "b e"],
    lengths: Sequence[int],
    options: SamplingOptions,
    seeds: Sequence[int],
    on_step: StepCallback | None = None,
) -> Float[Tensor, "b t d"]:
    """Normalised 3D features for text embeddings, padded to the longest length.

    seeds: one per row, so that a motion does not depend on what it is batched with. Standard sampling denoises 3D
    from the last timestep to 0. Mixture sampling denoises 2D with G_2D->2D while t > alpha, predicts clean 3D motion
    with G_2D->3D at the first t <= alpha (at the last t where none is), re-noises it to the next timestep, and goes on
    with G_3D->3D; a solver of several steps starts its history afresh there.
    """
    _check_lengths(lengths, model.config.max_frames)
    noise = _Noise(model, lengths, seeds)
    denoise = _Denoiser(model, text.to(model.device), noise.mask, options.guidance_scale)
    solver = make_solver(options.solver, options.num_inference_steps)
    timesteps = [int(t) for t in solver.timesteps]
    switch = next((i for i, t in enumerate(timesteps) if t <= options.switch_step), len(timesteps) - 1)

    domain: Domain = "2d" if options.mixture else "3d"
    x = noise.draw(domain)
    for i, t in enumerate(timesteps):
        if domain == "2d" and i == switch:
            x_start = denoise(x, t, "2d", "3d")
            domain = "3d"
            rest = timesteps[i + 1 :]
            if rest:
                t_next = torch.full((len(x),), rest[0], device=x.device)
                x = add_noise(x_start, noise.draw("3d"), t_next)
                solver = make_solver(options.solver, options.num_inference_steps, begin=i + 1)
            else:
                x = x_start
        else:
            x = _step(solver, options.solver, denoise(x, t, domain, domain), t, x, noise.draw, domain)
        if on_step is not None:
            on_step(i + 1, len(timesteps))
    return x * noise.mask[..., None]


def _step(
    solver: Any, name: str, x_start: Tensor, t: int, x: Tensor, draw: Callable[[Domain], Tensor], domain: Domain
) -> Tensor:
    """One solver step; the ancestral solver's noise comes from the rows' own generators."""
    if name == "ddpm":
        return solver.step(x_start, t, x, eta=1.0, variance_noise=draw(domain)).prev_sample
    return solver.step(x_start, t, x).prev_sample


class _Noise:
    """Noise per row from the row's own seed, drawn for the longest possible motion and cut to this batch's."""

    def __init__(self, model: CrossDiffModel, lengths: Sequence[int], seeds: Sequence[int]) -> None:
        if not len(lengths) == len(seeds):
            raise InputError(f"sampling: expected one seed per motion, got {len(seeds)} for {len(lengths)}")
        self._config, self._device = model.config, model.device
        self._frames = max(lengths)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        frame = torch.arange(self._frames)
        self.mask: Bool[Tensor, "b t"] = (frame < torch.tensor(list(lengths))[:, None]).to(model.device)

    def draw(self, domain: Domain) -> Float[Tensor, "b t d"]:
        shape = (self._config.max_frames, self._config.layout(domain).dim)
        rows = [torch.randn(shape, generator=g)[: self._frames] for g in self._generators]
        return torch.stack(rows).to(self._device)


class _Denoiser:
    """x_start under classifier-free guidance (Ho and Salimans 2022), with and without text as one batch."""

    def __init__(self, model: CrossDiffModel, text: Tensor, mask: Tensor, guidance_scale: float) -> None:
        self._network = model.network
        self._scale = guidance_scale
        self._text, self._mask = text, mask
        if guidance_scale != 1.0:
            self._text, self._mask = torch.cat([text, torch.zeros_like(text)]), torch.cat([mask, mask])

    def __call__(self, x: Tensor, t: int, source: Domain, target: Domain) -> Tensor:
        if self._scale == 1.0:
            return self._predict(x, t, source, target)
        with_text, without = self._predict(torch.cat([x, x]), t, source, target).chunk(2)
        return without + self._scale * (with_text - without)

    def _predict(self, x: Tensor, t: int, source: Domain, target: Domain) -> Tensor:
        steps = torch.full((len(x),), t, dtype=torch.long, device=x.device)
        return self._network({source: x}, steps, self._text, self._mask, targets=(target,))[source, target]


def _check_lengths(lengths: Sequence[int], most: int) -> None:
    bad = [n for n in lengths if not 1 <= n <= most]
    if bad:
        raise InputError(f"frames: expected 1 to {most} per motion, got {bad[0]}")
