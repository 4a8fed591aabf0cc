"""Training runs of a few steps; started as a script, one that can be killed in the middle."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from synthetic import StubEncoder, small_model

import crossdiff.text
from crossdiff.data.batch import ClipWindow
from crossdiff.data.batches import BatchSource, MocapBatches
from crossdiff.data.mocap import MocapDataset, ViewConfig
from crossdiff.training.config import LoopConfig, LossWeights
from crossdiff.training.loop import fit
from crossdiff.training.losses import Objective
from crossdiff.training.trainer import TrainSummary

STEPS = 6
DESCENT_RATE = 0.05
VIEWS = ViewConfig(yaw_jitter=10, hide=0.5)


def loop_config(**changes) -> LoopConfig:
    few = {
        "batch_size": 3,
        "warmup_steps": 2,
        "log_every": 2,
        "checkpoint_every": 3,
        "learning_rate": 1e-3,
        "keep": 9,
        "precision": "32-true",  # on every processor
        "validate_every": 3,
        "validate_batches": 2,
    }
    held_out = {"validate_every": 3, "validate_batches": 2}
    return LoopConfig.model_validate(
        {"steps": STEPS, **few, **held_out, "text_dropout": 0.3, "ema_decay": 0.9, **changes}
    )


class Meddled:
    """Batches of which step `at` raises `error`, never comes (`hang`), or is NaN."""

    def __init__(self, source: BatchSource, at: int = -1, error: type[BaseException] | None = None, hang: bool = False):
        self.source, self.at, self.error, self.hang = source, at, error, hang
        self.batch_size, self.film = source.batch_size, source.film

    def crops(self, step: int, rows: Sequence[int]) -> list[ClipWindow]:
        crops = self.source.crops(step, rows)
        if step != self.at:
            return crops
        if self.hang:
            time.sleep(3600)
        if self.error is not None:
            raise self.error
        return [replace(c, features={**c.features, "3d": np.full_like(c.features["3d"], np.nan)}) for c in crops]

    def captions(self) -> list[str]:
        return self.source.captions()


def run(
    data: Path,
    out: Path,
    cfg: LoopConfig | None = None,
    dropout: float = 0.1,
    text: str = "token",
    cache: Path | None = None,
    start_over: bool = False,
    weights: LossWeights | None = None,
    **meddling,
) -> TrainSummary:
    """A run of a small network on a prepared dataset; the text encoder must be stubbed."""
    cfg = cfg or loop_config()
    model = small_model(seed=3, dropout=dropout, text=text)
    batches = Meddled(MocapBatches(MocapDataset(data), cfg.batch_size, 24, VIEWS, cfg.seed), **meddling)
    held_out = MocapBatches(MocapDataset(data, "val"), 2, 24, VIEWS, cfg.seed)
    terms = (weights or cfg.weights).terms()
    return fit(model, batches, cfg, Objective(terms, terms), out, cache, {"data": "test"}, held_out, start_over)


def state_of(out: Path, step: int = STEPS) -> dict:
    """What a run kept, on the CPU, wherever it ran."""
    return torch.load(out / "state" / f"step_{step:08d}.pt", map_location="cpu", weights_only=True)


def shared_runs(data: Path, out: Path, devices: int) -> None:
    """Runs without dropout on a batch that `devices` processes share, with plain gradient descent.

    Adam divides a gradient by its own size: where that is nearly zero, it would turn rounding into whole steps.
    One run learns all four directions; the other 3D alone, which leaves half of the network without gradients.
    """
    with patch.object(torch.optim, "AdamW", torch.optim.SGD):
        for name, weights in (("all", LossWeights()), ("3d", LossWeights(w23=0, w32=0, w22=0))):
            cfg = loop_config(batch_size=4, devices=devices, learning_rate=DESCENT_RATE, gradient_clip=1e6)
            run(data, out / name, cfg, dropout=0.0, weights=weights)


if __name__ == "__main__":
    # DATA OUT [DEVICES]: a run that waits to be killed before step 3, or runs that several processes share.
    crossdiff.text.load_text_encoder = lambda name="minilm": StubEncoder()
    data, out, *devices = sys.argv[1:]
    if devices:
        shared_runs(Path(data), Path(out), int(devices[0]))
    else:
        run(Path(data), Path(out), loop_config(checkpoint_every=1), at=3, hang=True)
