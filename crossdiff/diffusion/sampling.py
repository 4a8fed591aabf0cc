"""Text -> motion: standard sampling, and mixture sampling in two domains (paper, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.deprecated import SamplingOptions as SamplingOptions
from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.few_steps import learnt_scales, sampling_timesteps
from crossdiff.diffusion.schedule import add_noise, make_solver
from crossdiff.diffusion.windows import BLEND_SECONDS, Window, make_windows
from crossdiff.errors import InputError
from crossdiff.models.model import CrossDiffModel
from crossdiff.models.network import CrossDiffNetwork
from crossdiff.models.prediction import kept_signal
from crossdiff.types import Domain

StepCallback = Callable[[int, int], None]
# Changes normalised predictions of clean 3D motion (B, T, D) so that they fulfil a condition.
Control = Callable[[Tensor], Tensor]
# Windows that the network processes as one batch, which bounds the memory of long motions.
_WINDOWS_AT_ONCE = 16
# With a control: gradient steps on x_t in each step of the solver, and their largest size, in standard deviations of
# the noise.
_GUIDING_STEPS, _LONGEST_STEP = 2, 0.2


@torch.no_grad()
def sample(
    model: CrossDiffModel,
    text: Float[Tensor, "b ... e"],
    lengths: Sequence[int],
    options: SamplingConfig,
    seeds: Sequence[int],
    on_step: StepCallback | None = None,
    edit: Edit | None = None,
    control: Control | None = None,
) -> Float[Tensor, "b t d"]:
    """Normalised 3D features for text embeddings, padded to the longest length.

    Standard sampling denoises 3D from the last timestep to 0. Mixture sampling denoises 2D with G_2D->2D while
    t > alpha, predicts clean 3D motion with G_2D->3D at t = alpha, re-noises it to the next timestep, and continues
    with G_3D->3D; a multistep solver starts there with an empty history. seeds: one per row, so that a motion does not
    depend on the rest of its batch. edit: values that every row keeps. control: applied to each predicted x_start.
    """
    _check_lengths(lengths, model.config.max_frames)
    noise = _Noise(model, lengths, seeds)
    (scale,) = learnt_scales([options.guidance_scale], model.config.distilled)
    scales = torch.full((len(text),), scale, device=model.device)
    guidance = Guidance(scales, options.for_model(model.config).guidance_end, model.config.distilled is not None)
    predict = WholeMotions(model.network, text.to(model.device), noise.mask, guidance)
    return _sample(model, predict, noise, options, on_step, edit, control)


@torch.no_grad()
def sample_in_a_row(
    model: CrossDiffModel,
    text: Float[Tensor, "p ... e"],
    lengths: Sequence[int],
    guidance_scales: Sequence[float],
    options: SamplingConfig,
    seeds: Sequence[int],
    on_step: StepCallback | None = None,
    edit: Edit | None = None,
    control: Control | None = None,
) -> Float[Tensor, "b t d"]:
    """Normalised 3D features of long motions, one per seed, all of the same parts: a text, length and scale for each.

    In each step the network sees overlapping windows, each under its part's text, and their predictions of x_start are
    blended where they overlap, as in MultiDiffusion (Bar-Tal et al. 2023) and the first take of DoubleTake (Shafir et
    al. 2024). Features are free of place and heading, so that windows need not be moved. Differs from DoubleTake: there
    is no second take. One part that fits into the network gives the motion of `sample`.
    """
    noise = _Noise(model, [sum(lengths)] * len(seeds), seeds)
    windows = make_windows(lengths, model.config.max_frames, round(BLEND_SECONDS * model.skeleton.fps))
    scales = learnt_scales(guidance_scales, model.config.distilled)
    predict = _OverlappingWindows(model, text.to(model.device), windows, scales, options)
    return _sample(model, predict, noise, options, on_step, edit, control)


def _sample(
    model: CrossDiffModel,
    predict: _Predictor,
    noise: _Noise,
    options: SamplingConfig,
    on_step: StepCallback | None,
    edit: Edit | None,
    control: Control | None,
) -> Float[Tensor, "b t d"]:
    if (edit is not None or control is not None) and options.mixture:
        what = "edit" if edit is not None else "control"
        raise InputError(
            f"{what}: expected standard sampling, got mixture sampling, whose 2D steps cannot keep 3D values"
        )
    if options.mixture and "2d" not in model.config.domain_names:
        raise InputError("mixture: expected a model of domains 2d+3d, got one of 3d alone; sample the standard way")
    options = options.for_model(model.config)
    denoise = _Denoiser(predict, control, None if edit is None else edit.fit(model, noise.mask.sum(1).tolist()))
    timesteps = sampling_timesteps(options, model.config)
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
            x, x_start = self._predict(x, t, domain, domain)
            # The ancestral solver's noise comes from the rows' own generators.
            noise = self._noise.draw(domain) if self._solver == "ddpm" else None
            x = solver.step(x_start, t, x, noise)
        return x

    def lift(self, x: Tensor, t: int) -> Tensor:
        """Clean 3D motion from noisy 2D motion."""
        return self._predict(x, t, "2d", "3d")[1]

    def _predict(self, x: Tensor, t: int, source: Domain, target: Domain) -> tuple[Tensor, Tensor]:
        x, x_start = self._denoise(x, t, source, target)
        self._done += 1
        if self._on_step is not None:
            self._on_step(self._done, self._count)
        return x, x_start


class _Noise:
    """Noise of each row from its seed, drawn for the longest possible motion and cut to the batch's longest.

    Longer motions get as many draws as they need, one after another.
    """

    def __init__(self, model: CrossDiffModel, lengths: Sequence[int], seeds: Sequence[int]) -> None:
        if not len(lengths) == len(seeds):
            raise InputError(f"sampling: expected one seed per motion, got {len(seeds)} for {len(lengths)}")
        self._config, self._device = model.config, model.device
        self._frames = max(lengths)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        frame = torch.arange(self._frames)
        self.mask: Bool[Tensor, "b t"] = (frame < torch.tensor(list(lengths))[:, None]).to(model.device)

    def draw(self, domain: Domain) -> Float[Tensor, "b t d"]:
        most = self._config.max_frames
        shape = (most, self._config.layout(domain).dim)
        draws = -(-self._frames // most)
        rows = [torch.cat([torch.randn(shape, generator=g) for _ in range(draws)]) for g in self._generators]
        return torch.stack([row[: self._frames] for row in rows]).to(self._device)


class _Denoiser:
    """The predicted x_start, changed by `control`, with kept values in place (Tevet et al. 2023, section 3).

    With a control, x_t is first moved so that the network's own prediction comes nearer to fulfilling it: gradient
    steps on the squared distance of the prediction from what the control makes of it (reconstruction guidance, Ho et
    al. 2022). Without them the pose would not suit an imposed path, as the network predicts the root from the pose, and
    not the pose from the root. Steps are as long as the gradient predicts for a distance of zero (Polyak), at most
    `_LONGEST_STEP` standard deviations of the noise.
    """

    def __init__(
        self, predict: _Predictor, control: Control | None, kept: tuple[Bool[Tensor, "t d"], Tensor] | None
    ) -> None:
        self._predict, self._control, self._kept = predict, control, kept

    def __call__(self, x: Tensor, t: int, source: Domain, target: Domain) -> tuple[Tensor, Tensor]:
        """x_t, moved if there is a control, and x_start."""
        if self._control is not None:
            for _ in range(_GUIDING_STEPS):
                x = self._guided(x, t, source, target, self._control)
        x_start = self._predict(x, t, source, target)
        if self._control is not None:
            x_start = self._control(x_start)
        return x, self._keep(x_start)

    def _guided(self, x: Tensor, t: int, source: Domain, target: Domain, control: Control) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            x_start = self._keep(self._predict(x, t, source, target))
            distance = (x_start - control(x_start.detach())).square().sum((1, 2))
            (gradient,) = torch.autograd.grad(distance.sum(), x)
        step = gradient * (distance.detach() / gradient.square().sum((1, 2)).clamp_min(1e-12))[:, None, None]
        longest = _LONGEST_STEP * (1 - float(kept_signal(torch.tensor(t)))) ** 0.5
        size = step.square().mean((1, 2), keepdim=True).sqrt()
        return x.detach() - step * (longest / size.clamp_min(1e-12)).clamp_max(1.0)

    def _keep(self, x_start: Tensor) -> Tensor:
        if self._kept is None:
            return x_start
        keep, known = self._kept
        return torch.where(keep, known, x_start)


class _Predictor(Protocol):
    def __call__(self, x: Tensor, t: int, source: Domain, target: Domain) -> Float[Tensor, "b t d"]:
        """x_start under classifier-free guidance (Ho and Salimans 2022)."""
        ...


@dataclass(frozen=True)
class Guidance:
    """Scales of classifier-free guidance, one per row, and where they count."""

    scales: Float[Tensor, " b"]
    end: int = 0
    """The timestep below which 3D -> 3D is not guided."""
    distilled: bool = False
    """The network takes the scales as an input instead."""


class WholeMotions:
    """Each row of the batch as a whole; guided rows with and without text as one batch."""

    def __init__(
        self, network: CrossDiffNetwork, text: Float[Tensor, "b ... e"], mask: Bool[Tensor, "b t"], guidance: Guidance
    ) -> None:
        self._network, self._text, self._guidance = network, text, guidance
        # Attention is faster without a mask.
        self._mask = None if bool(mask.all()) else mask
        self._guided = guidance.scales != 1.0 if not guidance.distilled else torch.zeros_like(guidance.scales).bool()

    def __call__(self, x: Tensor, t: int | Int[Tensor, " b"], source: Domain, target: Domain) -> Tensor:
        """x_start. t: of all rows, or of each."""
        steps = torch.as_tensor(t, device=x.device).expand(len(x))
        end = self._guidance.end if source == "3d" else 0
        (rows,) = torch.where(self._guided & (steps >= end))
        if not len(rows):
            return self._run(x, steps, self._text, self._mask, source, target)
        text = torch.cat([self._text, torch.zeros_like(self._text[rows])])
        mask = None if self._mask is None else torch.cat([self._mask, self._mask[rows]])
        both = self._run(torch.cat([x, x[rows]]), torch.cat([steps, steps[rows]]), text, mask, source, target)
        with_text, without = both.split([len(x), len(rows)])
        scales = self._guidance.scales[rows, None, None]
        return with_text.index_copy(0, rows, without + scales * (with_text[rows] - without))

    def _run(
        self, x: Tensor, steps: Tensor, text: Tensor, mask: Tensor | None, source: Domain, target: Domain
    ) -> Tensor:
        more = {"scale": self._guidance.scales} if self._guidance.distilled else {}
        made = self._network({source: x}, steps, text, mask, targets=(target,), **more)[source, target]
        return made.to(x.dtype)  # guidance and solvers would suffer from bf16


class _OverlappingWindows:
    """Rows in windows, blended by the windows' shares; a bounded number of windows is predicted at once."""

    def __init__(
        self,
        model: CrossDiffModel,
        text: Float[Tensor, "p ... e"],
        windows: Sequence[Window],
        scales: Sequence[float],
        options: SamplingConfig,
    ) -> None:
        self._model, self._text, self._scales = model, text, text.new_tensor(scales)
        self._end = options.for_model(model.config).guidance_end
        # Windows of one length need no padding.
        self._windows = sorted(windows, key=lambda w: len(w.weight))

    def __call__(self, x: Tensor, t: int, source: Domain, target: Domain) -> Tensor:
        x_start = x.new_zeros(*x.shape[:2], self._model.config.layout(target).dim)
        places = [(row, window) for window in self._windows for row in range(len(x))]
        for start in range(0, len(places), _WINDOWS_AT_ONCE):
            batch = places[start : start + _WINDOWS_AT_ONCE]
            stretches = [x[row, w.start : w.stop] for row, w in batch]
            lengths = torch.tensor([len(stretch) for stretch in stretches], device=x.device)
            mask = torch.arange(int(lengths.max()), device=x.device) < lengths[:, None]
            parts = [w.part for _, w in batch]
            guidance = Guidance(self._scales[parts], self._end, self._model.config.distilled is not None)
            predict = WholeMotions(self._model.network, self._text[parts], mask, guidance)
            arguments = pad_sequence(stretches, batch_first=True), t, source, target
            # For gradients, each batch is computed again when its turn comes: memory does not grow with the motion.
            again = torch.is_grad_enabled()
            predicted = checkpoint(predict, *arguments, use_reentrant=False) if again else predict(*arguments)
            for (row, w), stretch in zip(batch, predicted, strict=True):
                share = torch.as_tensor(w.weight, dtype=x.dtype, device=x.device)
                x_start[row, w.start : w.stop] += share[:, None] * stretch[: len(share)]
        return x_start


def _check_lengths(lengths: Sequence[int], max_frames: int) -> None:
    bad = [n for n in lengths if not 1 <= n <= max_frames]
    if bad:
        raise InputError(f"frames: expected 1 to {max_frames} per motion, got {bad[0]}")
