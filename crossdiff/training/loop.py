"""One training loop for stage I, stage II and wild fine-tuning: what differs is the batches and the weights.

Everything random in step k is drawn from seeds made of the run's seed and k, so a run that was killed and resumed
takes the very steps that it would have taken.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from lightning_fabric import Fabric
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel
from torch.utils.tensorboard import SummaryWriter

from crossdiff.checkpoint import (
    drop_leftovers,
    is_checkpoint,
    keep_newest,
    latest_state,
    load_state,
    save_model,
    save_state,
)
from crossdiff.data.batch import MotionBatch
from crossdiff.data.batches import BatchSource, load_steps
from crossdiff.errors import ConfigError, CrossDiffError
from crossdiff.files import write_text
from crossdiff.models import CrossDiffModel
from crossdiff.progress import progress_bar
from crossdiff.text import CachedEmbeddings
from crossdiff.training.config import LoopConfig, LossWeights
from crossdiff.training.losses import cross_losses

log = logging.getLogger(__name__)

_FALLBACKS = (SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH)


class DivergedError(CrossDiffError):
    """The loss became NaN or infinite; the last good checkpoint is kept."""


@dataclass(frozen=True)
class TrainSummary:
    """Where the model lies and how the loss went: mean over the last logged steps, in total and per direction."""

    out: Path
    steps: int
    loss: float
    terms: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.4f}" for name, value in self.terms.items())
        return f"{self.out}: {self.steps} steps, loss {self.loss:.4f} ({parts})"


def fit(
    model: CrossDiffModel,
    batches: BatchSource,
    cfg: LoopConfig,
    weights: LossWeights,
    out: Path,
    cache: Path | None,
    inputs: dict[str, str],
    start_over: bool = False,
) -> TrainSummary:
    """Train until `cfg.steps`, going on from the newest state in `out/state`; leaves the averaged model in `out`.

    out: gets `model.safetensors` and `config.json`, `train.yaml`, `loss.csv`, `state/` and TensorBoard files in `log/`.
    cache: folder that keeps the text embeddings for other runs. inputs: what else the result depends on (hashes of
    data and starting model). A run is gone on with only under the configuration and inputs that it was started with;
    `start_over` begins anew where they differ instead of raising ConfigError.
    """
    _pin(cfg, inputs, out, start_over)
    trainer = _Trainer(model, cfg, weights, out, cache)
    trainer.resume()
    if trainer.step >= cfg.steps and is_checkpoint(out):
        return trainer.summary()
    trainer.embeddings.add(batches.captions())
    writer = SummaryWriter(str(out / "log"), purge_step=trainer.step)
    with progress_bar() as bar:
        task = bar.add_task("train", total=cfg.steps, completed=trainer.step, note="")
        for batch in load_steps(batches, range(trainer.step, cfg.steps), cfg.workers):
            trainer.train_step(batch)
            if trainer.step % cfg.log_every == 0 or trainer.step == cfg.steps:
                row = trainer.log()
                for name, value in row.items():
                    writer.add_scalar(name, value, trainer.step)
                bar.update(task, note=f"loss {row['loss']:.4f}")
            if trainer.step % cfg.checkpoint_every == 0 or trainer.step == cfg.steps:
                trainer.save()
            bar.update(task, completed=trainer.step)
    writer.close()
    return trainer.finish()


class _Trainer:
    """State of a run: network, average, optimiser, step, history."""

    def __init__(
        self, model: CrossDiffModel, cfg: LoopConfig, weights: LossWeights, out: Path, cache: Path | None
    ) -> None:
        self.cfg, self.out, self.step = cfg, out, 0
        self.weights = weights.terms()
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self.fabric = Fabric(accelerator="auto", devices=1, precision=cfg.precision)
        self.model = model.to(self.fabric.device).train()
        optimizer = torch.optim.AdamW(model.network.parameters(), cfg.learning_rate, weight_decay=cfg.weight_decay)
        self.network, self.optimizer = self.fabric.setup(model.network, optimizer)
        self.average = AveragedModel(model.network, multi_avg_fn=_moving_average(cfg.ema_decay))
        self.embeddings = CachedEmbeddings(model.config.text_encoder, cache, model.config.text_fingerprint)
        # On a CPU the fused attention's backward pass takes half of a step's time at these lengths.
        on_cpu = self.fabric.device.type == "cpu"
        self._attention = [SDPBackend.MATH] if on_cpu else [SDPBackend.FLASH_ATTENTION, *_FALLBACKS]
        self.history: list[dict[str, float]] = []
        self._recent: dict[str, list[float]] = {}

    def train_step(self, batch: MotionBatch) -> None:
        rng = torch.Generator().manual_seed(_seed(self.cfg.seed, self.step))
        torch.manual_seed(_seed(self.cfg.seed + 1, self.step))  # dropout
        batch = batch.to(self.fabric.device)
        dropped = torch.rand(len(batch.captions), generator=rng) < self.cfg.text_dropout
        captions = ["" if drop else c for c, drop in zip(batch.captions, dropped.tolist(), strict=True)]
        text = self.embeddings(captions, self.model.config.text_dim).to(self.fabric.device)
        with sdpa_kernel(self._attention):
            terms = cross_losses(self.network, self.model, batch, text, self.weights, rng)
        loss = torch.stack([self.weights[pair] * value for pair, value in terms.items()]).sum()
        if not torch.isfinite(loss):
            raise self._diverged(f"the loss became {loss.item()}")
        for group in self.optimizer.param_groups:
            group["lr"] = self.cfg.learning_rate * _rate(self.step, self.cfg)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = self.fabric.clip_gradients(
            self.network, self.optimizer, max_norm=self.cfg.gradient_clip, error_if_nonfinite=False
        )
        if norm is not None and not torch.isfinite(norm):
            raise self._diverged(f"the gradients' norm became {norm.item()}")
        self.optimizer.step()
        self.step += 1
        if self.step >= self.cfg.warmup_steps:
            self.average.update_parameters(self.model.network)
        named = {"loss": loss.detach()} | {f"{s}->{d}": v.detach() for (s, d), v in terms.items()}
        for name, value in named.items():
            self._recent.setdefault(name, []).append(float(value))

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{self.out}: {what} at step {self.step}; the last good state is in {self.out / 'state'}; "
            "lower learning_rate or use precision 32-true"
        )

    def log(self) -> dict[str, float]:
        """Means since the last row of the history."""
        row = {name: sum(values) / len(values) for name, values in self._recent.items()}
        self.history.append({"step": float(self.step), **row})
        self._recent = {}
        return row

    def save(self) -> None:
        state = {
            "step": self.step,
            "network": self.model.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "recent": self._recent,
        }
        save_state(self.out / "state" / f"step_{self.step:08d}.pt", state)
        keep_newest(self.out / "state", self.cfg.keep)
        table = io.StringIO()
        pd.DataFrame(self.history).to_csv(table, index=False)
        write_text(self.out / "loss.csv", table.getvalue())

    def resume(self) -> None:
        drop_leftovers(self.out / "state")
        path = latest_state(self.out / "state")
        if path is None:
            return
        state: Any = load_state(path)
        self.model.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.history, self._recent = state["step"], state["history"], state["recent"]

    def finish(self) -> TrainSummary:
        """Put the averaged weights into the model, and save it."""
        if int(self.average.n_averaged) > 0:
            self.model.network.load_state_dict(self.average.module.state_dict())
        self.model.eval()
        save_model(self.model, self.out)
        return self.summary()

    def summary(self) -> TrainSummary:
        last = dict(self.history[-1])
        last.pop("step")
        return TrainSummary(self.out, self.step, last.pop("loss"), last)


def _seed(seed: int, step: int) -> int:
    return (seed * 1_000_003 + step * 7_919 + 12_345) % 2**62


def _rate(step: int, cfg: LoopConfig) -> float:
    """Share of the learning rate: linear warm-up, then constant or down a half cosine to 1 %."""
    if step < cfg.warmup_steps:
        return (step + 1) / cfg.warmup_steps
    if cfg.decay == "constant":
        return 1.0
    done = (step - cfg.warmup_steps) / max(1, cfg.steps - cfg.warmup_steps)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def _moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential average whose decay rises to its value, so that a short run is not all first weights."""

    @torch.no_grad()
    def update(averaged: Any, current: Any, updates: Any) -> None:
        n = float(updates)
        torch._foreach_lerp_(averaged, current, 1.0 - min(decay, (1 + n) / (10 + n)))

    return update


def _pin(cfg: LoopConfig, inputs: dict[str, str], out: Path, start_over: bool) -> None:
    path, states = out / "train.yaml", out / "state"
    resolved = {"config": cfg.model_dump(mode="json", exclude={"workers"}), "inputs": inputs}
    if latest_state(states) is not None:
        changed = _differences(_read_yaml(path), resolved)
        if changed and not start_over:
            raise ConfigError(
                f"{out}: was started with other settings or data ({', '.join(changed)}); give another --out, "
                "or start over with --start-over"
            )
        if changed:
            log.warning("%s: %s changed, training starts over", out, ", ".join(changed))
            keep_newest(states, 0)
    write_text(path, yaml.safe_dump(resolved, sort_keys=False))


def _read_yaml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}


def _differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    parts = [(part, key) for part in now for key in now[part]]
    return [key for part, key in parts if before.get(part, {}).get(key) != now[part][key]]
