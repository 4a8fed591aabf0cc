"""A phase of an evaluator's training: Adam on one loss, with validation and exact resume.

Random numbers in step k depend only on the seed, the phase and k.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from crossdiff.errors import ConfigError
from crossdiff.evaluators.clips import Clips
from crossdiff.evaluators.config import EvaluatorTraining, PhaseConfig
from crossdiff.progress import progress_bar
from crossdiff.training.state import Best, StateFolder

log = logging.getLogger(__name__)

# Folder of the training states, one for each phase.
STATES = "state"
# Batches of a validation loss.
_VALIDATION_BATCHES = 8
# Part of the seeds.
_PHASES = {"movement": 0, "matching": 1, "contrastive": 2}


class Phase:
    """Adam on one loss, resumable; afterwards the modules have the weights of the lowest validation loss."""

    def __init__(
        self,
        name: Literal["movement", "matching", "contrastive"],
        modules: nn.ModuleDict,
        phase: PhaseConfig,
        cfg: EvaluatorTraining,
        loss: Callable[[Clips, np.random.Generator], Tensor],
        out: Path,
    ) -> None:
        self.name, self.modules, self.phase, self.cfg, self.loss = name, modules, phase, cfg, loss
        self.out, self.states = out, StateFolder(out / STATES / name)
        self.optimizer = torch.optim.Adam(modules.parameters(), phase.learning_rate)
        self.step, self.best, self.weights = 0, Best(0, float("inf")), _copy(modules)

    def run(self, train: Clips, val: Clips) -> Best:
        self._resume()
        with progress_bar() as bar:
            task = bar.add_task(f"train {self.name}", total=self.phase.steps, completed=self.step, note="")
            while self.step < self.phase.steps:
                note = f"loss {self._advance(train):.4f}"
                if self.step % self.cfg.validate_every == 0 or self.step == self.phase.steps:
                    self._validate(val)
                    self._save()
                if self.best.step:
                    note += f", validation {self.best.loss:.4f}"
                bar.update(task, completed=self.step, note=note)
        self.modules.load_state_dict(self.weights)
        self.modules.eval()
        return self.best

    def _advance(self, train: Clips) -> float:
        key = (self.cfg.seed, _PHASES[self.name], self.step)
        rng = np.random.default_rng(key)
        self.modules.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            loss = self.loss(train, rng)
        self.optimizer.zero_grad()
        loss.backward()
        if self.phase.gradient_clip:
            for module in self.modules.values():
                nn.utils.clip_grad_norm_(module.parameters(), self.phase.gradient_clip)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def _validate(self, val: Clips) -> None:
        self.modules.eval()
        rngs = [
            np.random.default_rng((self.cfg.seed, _PHASES[self.name], 1 << 40, i)) for i in range(_VALIDATION_BATCHES)
        ]
        loss = float(np.mean([float(self.loss(val, rng)) for rng in rngs]))
        log.info("%s step %d: validation loss %.4f", self.name, self.step, loss)
        if not np.isfinite(loss):
            raise ConfigError(f"{self.out}: the loss became {loss}; lower {self.name}.learning_rate")
        if loss < self.best.loss:
            self.best, self.weights = Best(self.step, loss), _copy(self.modules)

    def _save(self) -> None:
        state: dict[str, object] = {
            "step": self.step, "best_step": self.best.step, "best_loss": self.best.loss, "best": self.weights,
            "modules": self.modules.state_dict(), "optimizer": self.optimizer.state_dict(),
        }  # fmt: skip
        self.states.save(self.step, state)

    def _resume(self) -> None:
        state = self.states.load()
        if state is None:
            self.states.drop_leftovers()
            return
        self.modules.load_state_dict(state["modules"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.best = int(state["step"]), Best(int(state["best_step"]), float(state["best_loss"]))
        self.weights = state["best"]


def _copy(modules: nn.ModuleDict) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in modules.state_dict().items()}
