"""What a training run is made of. Defaults are the paper's; the shipped YAML files hold sizes for other machines."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crossdiff.config import Config
from crossdiff.data.mocap import ViewConfig
from crossdiff.models.config import ModelConfig
from crossdiff.types import Domain


class LossWeights(Config):
    """Weights of equation 8: `w23` is 2D -> 3D, `w32` is 3D -> 2D, `w22` is 2D -> 2D, `w33` is 3D -> 3D."""

    w33: float = Field(1.0, ge=0)
    w23: float = Field(1.0, ge=0)
    w32: float = Field(1.0, ge=0)
    w22: float = Field(1.0, ge=0)

    def terms(self) -> dict[tuple[Domain, Domain], float]:
        """(source, target) -> weight, without the terms of weight 0."""
        every: dict[tuple[Domain, Domain], float] = {
            ("3d", "3d"): self.w33,
            ("2d", "3d"): self.w23,
            ("3d", "2d"): self.w32,
            ("2d", "2d"): self.w22,
        }
        return {pair: weight for pair, weight in every.items() if weight > 0}


class LoopConfig(Config):
    """What every kind of training shares. `steps` counts optimiser steps; checkpoints are written every so many.

    `workers`: processes that make batches ahead of time; 0 makes them in the training process.
    """

    steps: int = Field(ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    warmup_steps: int = Field(500, ge=0)
    decay: Literal["constant", "cosine"] = "constant"
    weight_decay: float = Field(0.0, ge=0)
    gradient_clip: float = Field(1.0, gt=0)
    ema_decay: float = Field(0.999, ge=0, lt=1)
    text_dropout: float = Field(0.1, ge=0, le=1)
    weights: LossWeights = LossWeights()
    views: ViewConfig = ViewConfig()
    max_frames: int = Field(196, ge=8)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    seed: int = Field(0, ge=0)
    workers: int = Field(0, ge=0)
    log_every: int = Field(20, ge=1)
    checkpoint_every: int = Field(500, ge=1)
    keep: int = Field(2, ge=1)


class TrainConfig(LoopConfig):
    """Stage I trains all four directions; stage II goes on from its checkpoint with 3D -> 3D alone (equation 9)."""

    stage: Literal[1, 2] = 1
    model: ModelConfig = ModelConfig()

    def objective(self) -> LossWeights:
        return self.weights if self.stage == 1 else LossWeights(w33=1, w23=0, w32=0, w22=0)


class FinetuneConfig(LoopConfig):
    """Learning from wild clips (paper, section 4.3): the cross terms count a tenth, half of a batch is wild."""

    steps: int = Field(1000, ge=1)
    batch_size: int = Field(8, ge=1)
    learning_rate: float = Field(1e-5, gt=0)
    warmup_steps: int = Field(50, ge=0)
    weights: LossWeights = LossWeights(w33=1, w23=0.1, w32=0.1, w22=1)
    checkpoint_every: int = Field(100, ge=1)
    wild_ratio: float = Field(0.5, gt=0, le=1)
