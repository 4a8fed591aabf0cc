"""The losses of a distillation: a student's jumps beside the steps of its teacher.

As in progressive distillation (Salimans and Ho 2022), but in one go: the teacher takes all the steps that a jump
replaces, with guidance whose scale is an input of the student (Meng et al. 2023). Differs: a jump starts where the
student's own jumps before it lead from noise, as they do in sampling, not from noised data. So the student also learns
to correct its own errors, and of the data only captions and lengths are used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from crossdiff.data.batch import MotionBatch
from crossdiff.diffusion.few_steps import Jump, Pass, Passes, jumps, renoised, run_together
from crossdiff.diffusion.sampling import Guidance, WholeMotions
from crossdiff.diffusion.schedule import NUM_STEPS
from crossdiff.models.config import Distillation
from crossdiff.models.network import CrossDiffNetwork
from crossdiff.training.draws import Draws
from crossdiff.training.losses import Network, Pair
from crossdiff.training.masked import masked_mse
from crossdiff.types import DOMAINS, Domain


@dataclass(frozen=True)
class _Task:
    """A jump to learn, and the jumps before it."""

    before: tuple[Jump, ...]
    jump: Jump


class Distiller:
    """A frozen teacher, and the jumps that replace its steps. Each step of training learns one direction."""

    def __init__(self, teacher: CrossDiffNetwork, distilled: Distillation) -> None:
        self._teacher = teacher.eval().requires_grad_(False)
        self._guidance, self._guidance_end = distilled.guidance, distilled.guidance_end
        self._tasks: dict[Pair, list[_Task]] = defaultdict(list)
        for mixture in (False, True) if distilled.mixture else (False,):
            row = jumps(distilled, mixture)
            for n, jump in enumerate(row):
                task = _Task(tuple(row[:n]), jump)
                if task not in self._tasks[jump.source, jump.target]:
                    self._tasks[jump.source, jump.target].append(task)

    def to(self, device: torch.device) -> Self:
        self._teacher.to(device)
        return self

    def losses(
        self,
        network: Network,
        batch: MotionBatch,
        text: Float[Tensor, "b *l e"],
        draws: Draws,
        number: int,
        pairs: Sequence[Pair],
        velocity_weight: float = 0.0,
    ) -> dict[Pair, Float[Tensor, " b"]]:
        """The loss of each clip in the direction of this step: the squared error of the x_start that leads to where the
        teacher's steps do. Rows take the jumps of the direction in turn.

        network: the student, perhaps wrapped. number: of the step. velocity_weight: as in `cross_losses`.
        """
        source, target = pair = pairs[number % len(pairs)]
        tasks = self._tasks[pair]
        chosen = [(number // len(pairs) + row) % len(tasks) for row in batch.rows]
        scales = self.scales(draws).to(text.device)
        x, wanted = self._examples(network, batch, text, draws, scales, [tasks[i] for i in chosen])
        t = torch.tensor([tasks[i].jump.t for i in chosen], device=text.device)
        mask = batch.frames if len(set(batch.lengths)) > 1 else None
        made = network({source: x}, t, text, mask, targets=(target,), scale=scales)[pair].float()
        trusted = batch.frames[..., None].expand_as(wanted)
        loss = masked_mse(made, wanted, trusted)
        if velocity_weight and target == "3d":
            both = trusted[:, 1:] & trusted[:, :-1]
            loss = loss + velocity_weight * masked_mse(made.diff(dim=1), wanted.diff(dim=1), both)
        return {pair: loss}

    def scales(self, draws: Draws) -> Float[Tensor, " b"]:
        """A scale of guidance for each row, uniform in its logarithm; made of the row's timestep, which is not used."""
        low, high = self._guidance
        return low * (high / low) ** ((draws.t + 0.5) / NUM_STEPS)

    @torch.no_grad()
    def _examples(
        self, network: Network, batch: MotionBatch, text: Tensor, draws: Draws, scales: Tensor, tasks: list[_Task]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t e"]]:
        """Where each row's jump starts, and the x_start that leads to where it should end."""
        student = _unwrapped(network)
        noise = {
            domain: draws.noise(batch.lengths, student.cfg.layout(domain).dim, DOMAINS.index(domain), text.device)
            for domain in student.cfg.domain_names
        }
        groups = {task: [row for row, other in enumerate(tasks) if other == task] for task in dict.fromkeys(tasks)}
        rows_of = list(groups.values())

        def run(network: CrossDiffNetwork, steps: list[Passes], distilled: bool = False) -> list[Tensor]:
            """The results of each group's steps, whose passes are made in one batch."""

            def predict(places: list[int], asked: list[Pass]) -> Sequence[Tensor]:
                parts = [rows_of[place] for place in places]
                rows = [row for part in parts for row in part]
                t = torch.tensor([one.t for one, part in zip(asked, parts, strict=True) for _ in part])
                guidance = Guidance(scales[rows], self._guidance_end, distilled)
                whole = WholeMotions(network, text[rows], batch.frames[rows], guidance)
                x_start = whole(torch.cat([one.x for one in asked]), t, asked[0].source, asked[0].target)
                return x_start.split([len(part) for part in parts])

            return run_together(steps, predict)

        first = [_start(task, {d: n[rows] for d, n in noise.items()}) for task, rows in groups.items()]
        starts = run(student, first, distilled=True)
        lifted = [noise["3d"][rows] for rows in rows_of]
        both = zip(groups, starts, lifted, strict=True)
        wanted = run(self._teacher, [task.jump.wanted(x, own) for task, x, own in both])
        back = torch.tensor([row for rows in rows_of for row in rows], device=text.device).argsort()
        return torch.cat(starts)[back], torch.cat(wanted)[back]


def _unwrapped(network: Network) -> CrossDiffNetwork:
    """The network without the wrappers of precision and of several devices."""
    inner: Any = network
    while not isinstance(inner, CrossDiffNetwork):
        inner = inner.module
    return inner


def _start(task: _Task, noise: dict[Domain, Tensor]) -> Passes:
    """Noise, moved by the jumps before the task's."""
    row = (*task.before, task.jump)
    x = noise[row[0].source]
    for jump, after in pairwise(row):
        x = yield from jump.taken(x)
        if jump.source != jump.target:
            x = renoised(x, noise["3d"], after.t)
    return x
