"""The state of a training run: its steps, validation, histories and files."""

from __future__ import annotations

import copy
import io
import logging
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel

from crossdiff.checkpoint import save_model
from crossdiff.data.batch import MotionBatch
from crossdiff.data.batches import BatchSource, make_batch
from crossdiff.errors import ConfigError, CrossDiffError
from crossdiff.files import write_text
from crossdiff.models import CrossDiffModel
from crossdiff.text import CachedEmbeddings, check_prompts
from crossdiff.training.config import FinetuneConfig, LoopConfig
from crossdiff.training.distiller import Distiller
from crossdiff.training.draws import draw
from crossdiff.training.launch import launch
from crossdiff.training.loggers import Logger, open_logger
from crossdiff.training.losses import (
    Network,
    Objective,
    StepLosses,
    cross_losses,
    film_losses,
    timestep_weights,
)
from crossdiff.training.optimisation import moving_average, rate
from crossdiff.training.preview import render_samples
from crossdiff.training.state import Best, StateFolder

log = logging.getLogger(__name__)

# Parts of the seeds that separate training, validation and dropout.
_TRAIN, _VALIDATE, _DROPOUT = 0, 1, 2
_PREVIEWS = 4


class DivergedError(CrossDiffError):
    """The loss became NaN or infinite; the last good checkpoint is kept."""


@dataclass(frozen=True)
class TrainSummary:
    """The model's folder, and its mean loss over the last logged steps, in total and per direction."""

    out: Path
    steps: int
    loss: float
    terms: dict[str, float] = field(default_factory=dict)
    best: Best | None = None
    kept: str = ""
    """How a fine-tuned model moves beside the one before, for captions that both know."""

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.4f}" for name, value in self.terms.items())
        best = f"; lowest validation loss {self.best.loss:.4f} at step {self.best.step}" if self.best else ""
        kept = f"; {self.kept}" if self.kept else ""
        return f"{self.out}: {self.steps} steps, loss {self.loss:.4f} ({parts}){best}{kept}"


class Trainer:
    """State of a run: network, average, optimiser, step, histories. Files are the first process's alone."""

    def __init__(
        self,
        model: CrossDiffModel,
        cfg: LoopConfig,
        objective: Objective,
        out: Path,
        cache: Path | None,
        validation: BatchSource,
        anchored: bool = False,
        distiller: Distiller | None = None,
    ) -> None:
        self.cfg, self.out, self.step = cfg, out, 0
        self.states = StateFolder(out / "state", cfg.keep)
        self.objective = objective
        sources, targets = ({pair[side] for pair in objective.pairs} for side in (0, 1))
        # Stage II leaves the 2D half of the network without gradients.
        all_learn = sources == targets == set(model.config.domain_names)
        # A step of a distillation learns one direction.
        self.fabric = launch(cfg, all_learn and (distiller is None or len(objective.pairs) == 1))
        self.distiller = None if distiller is None else distiller.to(self.fabric.device)
        self.model = model.to(self.fabric.device).train()
        self.anchor = copy.deepcopy(self.model.network).eval().requires_grad_(False) if anchored else None
        self.average = AveragedModel(self.model, multi_avg_fn=moving_average(cfg.ema_decay))
        optimizer = torch.optim.AdamW(
            model.network.parameters(), cfg.learning_rate, weight_decay=cfg.weight_decay, fused=True
        )
        self.network, self.optimizer = self.fabric.setup(model.network, optimizer)
        config = model.config
        self.embeddings = CachedEmbeddings(
            config.text_encoder, cache, config.text_fingerprint, config.text == "sequence"
        )
        self.logger = Logger()
        self.validation = validation
        self.by_picture = isinstance(cfg, FinetuneConfig) and cfg.wild_target == "picture"
        self.film_weight = cfg.film.weight if cfg.film else 0.0
        captions = [c for c in validation.captions() if c]
        given = check_prompts(cfg.sample_prompts)
        self.prompts = given or captions[:: max(1, len(captions) // _PREVIEWS)][:_PREVIEWS]
        self.history: list[dict[str, float]] = []
        self.validations: list[dict[str, float]] = []
        self._recent: dict[str, list[float]] = {}

    def open_logger(self) -> None:
        if self.fabric.is_global_zero:
            settings = self.cfg.model_dump(mode="json")
            self.logger = open_logger(self.cfg.logger, self.out, settings, self.step + 1)

    def embed(self, captions: Sequence[str]) -> None:
        """Encode all captions in the first process; the others read them from disk."""
        if self.fabric.is_global_zero:
            self.embeddings.add(captions)
        self.fabric.barrier()
        self.embeddings.add(captions)

    def is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.cfg.steps

    def train_step(self, batch: MotionBatch) -> None:
        seed = self.cfg.seed
        torch.manual_seed(_number(seed, _DROPOUT, self.step, self.fabric.global_rank))
        parts = self._losses(self.network, batch, (seed, _TRAIN, self.step), self.cfg.text_dropout)
        loss = parts.loss
        for group in self.optimizer.param_groups:
            group["lr"] = self.cfg.learning_rate * rate(self.step, self.cfg)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = self.fabric.clip_gradients(
            self.network, self.optimizer, max_norm=self.cfg.gradient_clip, error_if_nonfinite=False
        )
        assert norm is not None
        # One transfer and one exchange between devices, instead of one for each number.
        values = torch.cat([norm.detach()[None], parts.values])
        gradient, *reduced = self.fabric.all_reduce(values, reduce_op="mean").tolist()
        means = parts.means(reduced)
        total = means["loss"]
        if not math.isfinite(total):
            raise self._diverged(f"the loss became {total}")
        if not math.isfinite(gradient):
            raise self._diverged(f"the gradients' norm became {gradient}")
        self.optimizer.step()
        self.step += 1
        if self.step >= self.cfg.warmup_steps:
            self.average.update_parameters(self.model)
        for name, value in means.items():
            self._recent.setdefault(name, []).append(value)

    def _losses(self, network: Network, batch: MotionBatch, key: tuple[int, ...], text_dropout: float) -> StepLosses:
        draws = draw(key, batch.rows, text_dropout)
        captions = [c if keep else "" for c, keep in zip(batch.captions, draws.keep_text.tolist(), strict=True)]
        device = self.fabric.device
        text = self.embeddings(captions, self.model.config.text_dim).to(device)
        # On CPUs, fused attention's backward pass takes half of a step in bf16; in float32 both are equally fast.
        with sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext():
            batch = batch.to(device)
            pairs, velocity = self.objective.pairs, self.cfg.velocity_weight
            if self.distiller is not None:
                with self.fabric.autocast():  # for the teacher, which is not set up with the network
                    terms = self.distiller.losses(network, batch, text, draws, key[-1], pairs, velocity)
                return StepLosses.of(terms, self.objective, batch)
            terms = cross_losses(network, self.model, batch, text, pairs, draws, velocity, self.anchor, self.by_picture)
            film = None if batch.filmed is None else film_losses(network, self.model, batch.filmed, velocity)
        parts = StepLosses.of(terms, self.objective, batch, timestep_weights(draws.t.to(device), self.cfg.weighting))
        return parts if film is None else parts.plus(film, self.film_weight)

    def _diverged(self, what: str) -> DivergedError:
        """Save the averaged model, which does not include the failed step."""
        kept = self.out / "last_good"
        if self.fabric.is_global_zero:
            save_model(self.averaged.eval(), kept)
        self.fabric.barrier()  # when one process ends, the others are killed
        return DivergedError(
            f"{self.out}: {what} at step {self.step}; the weights before it are in {kept}: resume from them "
            f"with --checkpoint {kept}, a lower learning_rate or precision 32-true, and another --out"
        )

    def log(self) -> dict[str, float]:
        """Means since the last row of the history."""
        row = {name: _mean(values) for name, values in self._recent.items()}
        self.history.append({"step": float(self.step), **row})
        self._recent = {}
        self.logger.add_scalars({**row, "learning rate": self.optimizer.param_groups[0]["lr"]}, self.step)
        return row

    @property
    def averaged(self) -> CrossDiffModel:
        """The model with averaged weights, or the model itself before there is an average."""
        model = self.average.module if int(self.average.n_averaged) else self.model
        assert isinstance(model, CrossDiffModel)
        return model

    def validate(self) -> None:
        """Loss of the averaged model on fixed batches, timesteps and noise."""
        if self.fabric.is_global_zero:
            model, found = self.averaged.eval(), []
            batches = [make_batch(self.validation, number) for number in range(self.cfg.validate_batches)]
            with torch.no_grad(), self.fabric.autocast():
                for number, batch in enumerate(batches):
                    parts = self._losses(model.network, batch, (self.cfg.seed, _VALIDATE, number), 0.0)
                    found.append(parts.means(parts.values.tolist()))
            self.model.train()
            means = {name: _mean([f[name] for f in found if name in f]) for name in {n: 0 for f in found for n in f}}
            loss = means["loss"]
            is_best = self.best is None or loss < self.best.loss
            self.validations.append({"step": float(self.step), **means})
            self.logger.add_scalars({f"validation/{name}": mean for name, mean in means.items()}, self.step)
            if is_best:
                save_model(model, self.out / "best")
        self.fabric.barrier()

    @property
    def best(self) -> Best | None:
        lowest = min(self.validations, key=lambda row: row["loss"], default=None)
        return None if lowest is None else Best(int(lowest["step"]), lowest["loss"])

    def preview(self) -> None:
        """Render samples of the averaged model; a failure to draw them does not stop training."""
        if self.fabric.is_global_zero and self.prompts:
            model = self.averaged.eval()
            text = self.embeddings(self.prompts, model.config.text_dim)
            path = self.out / "samples" / f"step_{self.step:08d}.mp4"
            try:
                render_samples(model, self.prompts, text, path, self.cfg.seed)
                self.logger.add_video("samples", path, self.step)
            except (CrossDiffError, OSError) as error:
                log.warning("%s: not drawn (%s)", path, error)
            self.model.train()
        self.fabric.barrier()

    def save(self) -> None:
        if not self.fabric.is_global_zero:
            return
        state = {
            "step": self.step,
            "network": self.model.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "validations": self.validations,
            "recent": self._recent,
        }
        self.states.save(self.step, state)
        for name, rows in (("loss.csv", self.history), ("validation.csv", self.validations)):
            table = io.StringIO()
            pd.DataFrame(rows).to_csv(table, index=False)
            write_text(self.out / name, table.getvalue())

    def resume(self) -> None:
        if self.fabric.is_global_zero:
            self.states.drop_leftovers()
        state = self.states.load()
        if state is None:
            return
        self.model.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self._recent = state["step"], state["recent"]
        self.history, self.validations = state["history"], state["validations"]

    def check_agreement(self) -> None:
        """Raise if the processes resume from different states: their weights would diverge."""
        steps = self.fabric.all_gather(torch.tensor(self.step, device=self.fabric.device))
        if len(set(steps.flatten().tolist())) > 1:
            raise ConfigError(
                f"{self.out}: the processes resume from different steps ({steps.flatten().tolist()}); "
                "all machines must see this folder on one shared disk"
            )

    def finish(self) -> TrainSummary:
        """Save the averaged model."""
        if self.fabric.is_global_zero:
            save_model(self.averaged.eval(), self.out)
        self.fabric.barrier()
        return self.summary()

    def summary(self) -> TrainSummary:
        last = dict(self.history[-1])
        last.pop("step")
        return TrainSummary(self.out, self.step, last.pop("loss"), last, self.best)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _number(*key: int) -> int:
    """One seed made of several numbers."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
