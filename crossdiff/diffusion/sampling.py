"""Text -> motion: standard sampling, and mixture sampling in two domains (paper, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.deprecated import SamplingOptions as SamplingOptions
from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.schedule import add_noise, make_solver
from crossdiff.errors import InputError
from crossdiff.models.model import CrossDiffModel
from crossdiff.types import Domain

StepCallback = Callable[[int, int], None]


@torch.no_grad()
def sample(
    model: CrossDiffModel,
    text: Float[Tensor, "b ... e"],
    lengths: Sequence[int],
    options: SamplingConfig,
    seeds: Sequence[int],
    on_step: StepCallback | None = None,
    edit: Edit | None = None,
) -> Float[Tensor, "b t d"]:
    """Normalised 3D features for text embeddings, padded to the longest length.

    Standard sampling denoises 3D from the last timestep to 0. Mixture sampling denoises 2D with G_2D->2D while
    t > alpha, predicts clean 3D motion with G_2D->3D at t = alpha, re-noises it to the next timestep, and continues
    with G_3D->3D; a multistep solver starts there with an empty history. seeds: one per row, so that a motion does not
    depend on the rest of its batch. edit: values that every row keeps.
    """
    _check_lengths(lengths, model.config.max_frames)
    if edit is not None and options.mixture:
        raise InputError("edit: expected standard sampling, got mixture sampling, whose 2D steps cannot keep 3D values")
    if options.mixture and "2d" not in model.config.domain_names:
        raise InputError("mixture: expected a model of domains 2d+3d, got one of 3d alone; sample the standard way")
    noise = _Noise(model, lengths, seeds)
    denoise = _Denoiser(model, text.to(model.device), noise.mask, options.guidance_scale, edit)
    timesteps = options.timesteps
    steps = _SamplingSteps(options.solver, denoise, noise, on_step, len(timesteps))
    if not options.mixture:
        x = steps.descend(noise.draw("3d"), "3d", timesteps)
    else:
        switch = timesteps.index(options.switch_step)
        x = steps.descend(noise.draw("2d"), "2d", timesteps[: switch + 1], stop=1)
        x = steps.lift(x, timesteps[switch])
        if below := timesteps[switch + 1 :]:
            x = add_noise(x, noise.draw("3d"), torch.full((len(x),), below[0], device=x.device))
            x = steps.descend(x, "3d", below)
    return x * noise.mask[..., None]


class _SamplingSteps:
    """The steps of one call: each evaluates the network once and calls `on_step`."""

    def __init__(
        self, solver: str, denoise: _Denoiser, noise: _Noise, on_step: StepCallback | None, count: int
    ) -> None:
        self._solver, self._denoise, self._noise = solver, denoise, noise
        self._on_step, self._count, self._done = on_step, count, 0

    def descend(self, x: Tensor, domain: Domain, timesteps: Sequence[int], stop: int = 0) -> Tensor:
        """Denoise within one domain, from the first timestep to clean motion; with stop = 1 to the last timestep."""
        solver = make_solver(self._solver, timesteps)
        for t in timesteps[: len(timesteps) - stop]:
            x_start = self._predict(x, t, domain, domain)
            # The ancestral solver's noise comes from the rows' own generators.
            noise = self._noise.draw(domain) if self._solver == "ddpm" else None
            x = solver.step(x_start, t, x, noise)
        return x

    def lift(self, x: Tensor, t: int) -> Tensor:
        """Clean 3D motion from noisy 2D motion."""
        return self._predict(x, t, "2d", "3d")

    def _predict(self, x: Tensor, t: int, source: Domain, target: Domain) -> Tensor:
        x_start = self._denoise(x, t, source, target)
        self._done += 1
        if self._on_step is not None:
            self._on_step(self._done, self._count)
        return x_start


class _Noise:
    """Noise of each row from its seed, drawn for the longest possible motion and cut to the batch's longest."""

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
    """x_start under classifier-free guidance (Ho and Salimans 2022), with and without text as one batch.

    Kept values of an edit replace the predicted ones after guidance (Tevet et al. 2023, section 3).
    """

    def __init__(
        self, model: CrossDiffModel, text: Tensor, mask: Tensor, guidance_scale: float, edit: Edit | None
    ) -> None:
        self._network = model.network
        self._scale = guidance_scale
        self._text = text
        # Attention is faster without a mask.
        self._mask = None if bool(mask.all()) else mask
        if guidance_scale != 1.0:
            self._text = torch.cat([text, torch.zeros_like(text)])
            self._mask = None if self._mask is None else torch.cat([mask, mask])
        self._kept = None if edit is None else edit.fit(model, mask.sum(1).tolist())

    def __call__(self, x: Tensor, t: int, source: Domain, target: Domain) -> Tensor:
        if self._scale == 1.0:
            x_start = self._predict(x, t, source, target)
        else:
            with_text, without = self._predict(torch.cat([x, x]), t, source, target).chunk(2)
            x_start = without + self._scale * (with_text - without)
        if self._kept is None:
            return x_start
        keep, known = self._kept
        return torch.where(keep, known, x_start)

    def _predict(self, x: Tensor, t: int, source: Domain, target: Domain) -> Tensor:
        steps = torch.full((len(x),), t, dtype=torch.long, device=x.device)
        return self._network({source: x}, steps, self._text, self._mask, targets=(target,))[source, target]


def _check_lengths(lengths: Sequence[int], max_frames: int) -> None:
    bad = [n for n in lengths if not 1 <= n <= max_frames]
    if bad:
        raise InputError(f"frames: expected 1 to {max_frames} per motion, got {bad[0]}")
