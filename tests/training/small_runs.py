"""Training runs of a few steps; started as a script, one that can be killed in the middle."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from synthetic import StubEncoder, small_model

import crossdiff.text
from crossdiff.data.batch import ClipWindow
from crossdiff.data.batches import BatchSource, MocapBatches
from crossdiff.data.mocap import MocapDataset, ViewConfig
from crossdiff.training.config import LoopConfig, LossWeights
from crossdiff.training.loop import TrainSummary, fit
from crossdiff.training.losses import Objective

STEPS = 6
VIEWS = ViewConfig(yaw_jitter=10, hide=0.5)


def loop_config(**changes) -> LoopConfig:
    few = {
        "batch_size": 3,
        "warmup_steps": 2,
        "log_every": 2,
        "checkpoint_every": 3,
        "learning_rate": 1e-3,
        "keep": 9,
        "validate_every": 3,
        "validate_batches": 2,
    }
    held_out = {"validate_every": 3, "validate_batches": 2}
    return LoopConfig.model_validate(
        {"steps": STEPS, **few, **held_out, "text_dropout": 0.3, "ema_decay": 0.9, **changes}
    )


class Meddled:
    """Batches that take `pause` seconds each; step `at` raises, or comes out as NaN."""

    def __init__(self, source: BatchSource, at: int = -1, error: type[BaseException] | None = None, pause: float = 0):
        self.source, self.at, self.error, self.pause = source, at, error, pause
        self.batch_size = source.batch_size

    def crops(self, step: int, rows: Sequence[int]) -> list[ClipWindow]:
        time.sleep(self.pause)
        crops = self.source.crops(step, rows)
        if step != self.at:
            return crops
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


if __name__ == "__main__":
    # DATA OUT [DEVICES]: slow steps of one process, or quick ones that several processes share, without dropout.
    crossdiff.text.load_text_encoder = lambda name="minilm": StubEncoder()
    data, out, *devices = sys.argv[1:]
    if devices:
        # All four directions, and in another run 3D alone, which leaves half of the network without gradients.
        for name, weights in (("all", LossWeights()), ("3d", LossWeights(w23=0, w32=0, w22=0))):
            cfg = loop_config(batch_size=4, devices=int(devices[0]))
            run(Path(data), Path(out) / name, cfg, dropout=0.0, weights=weights)
    else:
        run(Path(data), Path(out), loop_config(checkpoint_every=1), pause=0.3)
