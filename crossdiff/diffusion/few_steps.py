"""Sampling of distilled models: the few timesteps that they take, and the steps of their teacher that each replaces."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from crossdiff.diffusion.schedule import DDIM, add_noise, inference_timesteps, mixture_timesteps
from crossdiff.errors import InputError
from crossdiff.models.prediction import noise_schedule
from crossdiff.types import Domain

if TYPE_CHECKING:
    from crossdiff.diffusion.config import SamplingConfig
    from crossdiff.models.config import Distillation, ModelConfig

log = logging.getLogger(__name__)


class Pass(NamedTuple):
    """A pass of the network that is asked for; the answer is its x_start."""

    x: Float[Tensor, "b t d"]
    t: int
    source: Domain
    target: Domain


Passes = Generator[Pass, Tensor, Tensor]
"""Steps of sampling that yield each pass of the network that they need, so that several can share their passes."""


def run_together(steps: Sequence[Passes], predict: Callable[[list[int], list[Pass]], Sequence[Tensor]]) -> list[Tensor]:
    """The results of all steps. predict: answers passes in one direction, given the places in `steps` they are for."""
    results: dict[int, Tensor] = {}
    pending: dict[int, Pass] = {}

    def go_on(place: int, answer: Tensor | None) -> None:
        pending.pop(place, None)
        try:
            pending[place] = next(steps[place]) if answer is None else steps[place].send(answer)
        except StopIteration as end:
            results[place] = end.value

    for place in range(len(steps)):
        go_on(place, None)
    while pending:
        first = next(iter(pending.values()))
        asked = {n: one for n, one in pending.items() if (one.source, one.target) == (first.source, first.target)}
        for place, answer in zip(asked, predict(list(asked), list(asked.values())), strict=True):
            go_on(place, answer)
    return [results[place] for place in range(len(steps))]


@dataclass(frozen=True)
class Jump:
    """One pass of a distilled network, and the steps of its teacher that it replaces."""

    source: Domain
    target: Domain
    timesteps: tuple[int, ...]
    """Those of the teacher. The first is also the student's."""
    until: int | None
    """The timestep that it leads to; None: clean motion."""

    @property
    def t(self) -> int:
        return self.timesteps[0]

    def taken(self, x: Float[Tensor, "b t d"]) -> Passes:
        """The student's motion at the end of the jump."""
        x_start = yield Pass(x, self.t, self.source, self.target)
        return x_start if self.source != self.target else _solver((self.t,), self.until).step(x_start, self.t, x)

    def wanted(self, x: Float[Tensor, "b t d"], noise: Float[Tensor, "b t e"]) -> Passes:
        """The x_start with which the student's one step of DDIM ends where the teacher's steps do (Salimans and Ho
        2022, appendix G). noise: added to lifted motion before its remaining steps in 3D.
        """
        if self.source == self.target:
            end = yield from _descend(x, self.source, self.timesteps, self.until)
            return _x_start_between(x, end, self.t, self.until)
        lifted, rest = (yield Pass(x, self.t, self.source, self.target)), self.timesteps[1:]
        if not rest:
            return lifted
        return (yield from _descend(renoised(lifted, noise, rest[0]), self.target, rest, None))


def renoised(x_start: Float[Tensor, "b t d"], noise: Float[Tensor, "b t d"], t: int) -> Float[Tensor, "b t d"]:
    """Clean motion with the noise of one timestep."""
    return add_noise(x_start, noise, torch.full((len(x_start),), t, device=x_start.device))


def jumps(distilled: Distillation, mixture: bool, steps: int | None = None) -> list[Jump]:
    """The passes of a distilled model, in order. steps: fewer of them than it was distilled for.

    Standard sampling: the teacher's steps in equal parts. Mixture sampling: one pass predicts 3D from 2D at the switch
    step; the others are shared by 2D before it and 3D after it as the teacher's steps are. If none is left for 3D, that
    one pass also replaces the teacher's steps after it.
    """
    count = distilled.steps if steps is None else steps
    teacher = inference_timesteps(distilled.teacher_steps)
    if not mixture:
        return _parts("3d", teacher, count, None)
    switch = distilled.switch_step
    whole = mixture_timesteps(teacher, switch)
    above, below = whole[: whole.index(switch)], whole[whole.index(switch) + 1 :]
    flat = min(max(round((count - 1) * len(above) / max(len(above) + len(below), 1)), min(len(above), 1)), count - 1)
    solid = min(count - 1 - flat, len(below))
    lift = Jump("2d", "3d", (switch,) if solid else (switch, *below), None)
    return [*_parts("2d", above, flat, switch), lift, *_parts("3d", below, solid, None)]


def sampling_timesteps(options: SamplingConfig, config: ModelConfig) -> list[int]:
    """Timesteps at which a model is evaluated; mixture sampling includes the switch step."""
    if config.distilled is None:
        return options.timesteps
    return [jump.t for jump in jumps(config.distilled, options.mixture, options.steps)]


def check_few_steps(options: SamplingConfig, distilled: Distillation) -> None:
    """Raise InputError for settings that a distilled model has not learnt."""
    steps, few = options.steps, distilled.steps
    if options.solver != "ddim":
        raise InputError(f"solver: the model was distilled from ddim, got {options.solver}; leave it out")
    if options.mixture and not distilled.mixture:
        raise InputError(
            "mixture: the model was distilled for standard sampling alone; sample the standard way, or distil a "
            "stage-I model with --set mixture=true"
        )
    if options.mixture and options.switch_step != distilled.switch_step:
        raise InputError(
            f"switch_step: the model was distilled for {distilled.switch_step}, got {options.switch_step}; leave it out"
        )
    if options.guidance_end != distilled.guidance_end:
        raise InputError(
            f"guidance_end: the model was distilled for {distilled.guidance_end}, got {options.guidance_end}; leave it "
            "out"
        )
    if few % steps or (options.mixture and steps != few):
        raise InputError(
            f"steps: the model was distilled for {few}, got {steps}; leave them out, or use the model that it was "
            "distilled from"
        )


def learnt_scales(scales: Sequence[float], distilled: Distillation | None) -> list[float]:
    """Scales of guidance within what a distilled model has learnt, with a warning if some were not."""
    if distilled is None:
        return list(scales)
    low, high = distilled.guidance
    within = [min(max(scale, low), high) for scale in scales]
    if beyond := [scale for scale, learnt in zip(scales, within, strict=True) if scale != learnt]:
        log.warning("guidance %g: the model was distilled for %g to %g; the nearest is used", beyond[0], low, high)
    return within


def _parts(domain: Domain, timesteps: Sequence[int], count: int, until: int | None) -> list[Jump]:
    """The timesteps in `count` parts, nearly equal."""
    if not count:
        return []
    starts = [i * len(timesteps) // count for i in range(count)]
    ends = [*(timesteps[start] for start in starts[1:]), until]
    spans = pairwise([*starts, len(timesteps)])
    return [Jump(domain, domain, tuple(timesteps[a:b]), end) for (a, b), end in zip(spans, ends, strict=True)]


def _descend(x: Tensor, domain: Domain, timesteps: Sequence[int], until: int | None) -> Passes:
    solver = _solver(timesteps, until)
    for t in timesteps:
        x = solver.step((yield Pass(x, t, domain, domain)), t, x)
    return x


def _solver(timesteps: Sequence[int], until: int | None) -> DDIM:
    return DDIM(timesteps if until is None else [*timesteps, until])


def _x_start_between(x: Tensor, end: Tensor, t: int, until: int | None) -> Tensor:
    """The x_start with which one step of DDIM leads from x at t to `end`."""
    if until is None:
        return end
    kept, kept_end = noise_schedule()[t], noise_schedule()[until]
    shrink = ((1 - kept_end) / (1 - kept)).sqrt()
    return (end - shrink * x) / (kept_end.sqrt() - shrink * kept.sqrt())
