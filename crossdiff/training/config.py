"""What a training run is made of. Defaults are the paper's; the shipped YAML files hold sizes for other machines."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from crossdiff.config import Config
from crossdiff.data.mocap import ViewConfig
from crossdiff.diffusion.lifting import LabelConfig
from crossdiff.models.config import ModelConfig
from crossdiff.training.losses import Objective, Pair, Weighting


class LossWeights(Config):
    """Weights of equation 8: `w23` is 2D -> 3D, `w32` is 3D -> 2D, `w22` is 2D -> 2D, `w33` is 3D -> 3D."""

    w33: float = Field(1.0, ge=0)
    w23: float = Field(1.0, ge=0)
    w32: float = Field(1.0, ge=0)
    w22: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.terms():
            raise ValueError("at least one direction needs a weight above 0")
        return self

    def terms(self) -> dict[Pair, float]:
        """(source, target) -> weight, without the terms of weight 0."""
        every: dict[Pair, float] = {
            ("3d", "3d"): self.w33,
            ("2d", "3d"): self.w23,
            ("3d", "2d"): self.w32,
            ("2d", "2d"): self.w22,
        }
        return {pair: weight for pair, weight in every.items() if weight > 0}


class LoopConfig(Config):
    """What every kind of training shares. `steps` counts optimiser steps.

    weighting: what timesteps count in the loss of 3D -> 3D; see `timestep_weights`.
    velocity_weight: what steps from frame to frame count in losses of 3D motion; the paper has 0.
    batch_size: clips per step on all devices together. precision: `auto` is bf16-mixed on a GPU or CPU that has
    instructions for it, else 32-true. validate_every: steps between losses on `validate_batches` batches held out
    (0: never); the model with the lowest is kept beside the last ones. sample_every: steps between videos sampled from
    `sample_prompts` (0: never), by default captions of the held-out clips. checkpoint_every, keep: how often a state to
    resume from is written, and how many are kept. workers: processes that make batches ahead of time; 0 makes them in
    the training process. devices, num_nodes: GPUs (or CPU processes) per machine, and machines.
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
    weighting: Weighting = "uniform"
    velocity_weight: float = Field(0.0, ge=0)
    views: ViewConfig = ViewConfig()
    max_frames: int = Field(196, ge=8)
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    seed: int = Field(0, ge=0)
    log_every: int = Field(20, ge=1)
    validate_every: int = Field(1000, ge=0)
    validate_batches: int = Field(8, ge=1)
    sample_every: int = Field(0, ge=0)
    sample_prompts: tuple[str, ...] = ()
    checkpoint_every: int = Field(500, ge=1)
    keep: int = Field(2, ge=1)
    workers: int = Field(0, ge=0)
    devices: int = Field(1, ge=1)
    num_nodes: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _whole_shares(self) -> Self:
        if self.batch_size % (self.devices * self.num_nodes):
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of {self.devices * self.num_nodes} devices"
            )
        return self


class ShortWindows(Config):
    """Stretches of at most `frames` frames in the first `share` of the steps, whole clips after."""

    frames: int = Field(ge=8)
    share: float = Field(gt=0, lt=1)


class TrainConfig(LoopConfig):
    """Stage I trains all four directions; stage II goes on from its checkpoint with 3D -> 3D alone (equation 9).

    `weights` count in stage I, for a network of both domains.
    share_3d of the dataset's clips are used with their 3D motion, and those up to share_2d by their 2D views alone
    (paper, table 2: "50 % 3D + 100 % 2D" is 0.5 and 1). extra_ratio: part of a batch that comes from a pipeline run
    of 2D clips, where one is given. short_windows: learning from short stretches first.
    """

    stage: Literal[1, 2] = 1
    model: ModelConfig = ModelConfig()
    share_3d: float = Field(1.0, gt=0, le=1)
    share_2d: float = Field(1.0, gt=0, le=1)
    extra_ratio: float = Field(0.5, gt=0, lt=1)
    short_windows: ShortWindows | None = None

    @model_validator(mode="after")
    def _ordered_shares(self) -> Self:
        if self.share_2d < self.share_3d:
            raise ValueError(f"share_2d {self.share_2d} is below share_3d {self.share_3d}; clips with 3D have 2D too")
        return self

    def objective(self) -> Objective:
        """The weights of the stage, without the directions that the network does not have."""
        only_3d = self.stage == 2 or self.model.domains == "3d"
        terms = (LossWeights(w33=1, w23=0, w32=0, w22=0) if only_3d else self.weights).terms()
        return Objective(terms, terms)


class FinetuneConfig(LoopConfig):
    """Learning from wild clips (paper, section 4.3): the cross terms count a tenth, half of a batch is wild.

    weights count for wild clips, weights_3d for those of the 3D dataset. wild_held_out: share of the wild clips that
    is kept for validation, where there are at least 20. by_quality: pseudo labels count by their quality.
    refresh_every: steps after which the model in training labels the wild clips anew (0: the teacher's labels stay);
    labels: how, as in `pseudo-label`.
    """

    steps: int = Field(1000, ge=1)
    batch_size: int = Field(8, ge=1)
    learning_rate: float = Field(1e-5, gt=0)
    warmup_steps: int = Field(50, ge=0)
    weights: LossWeights = LossWeights(w33=1, w23=0.1, w32=0.1, w22=1)
    weights_3d: LossWeights = LossWeights()
    validate_every: int = Field(250, ge=0)
    checkpoint_every: int = Field(100, ge=1)
    wild_ratio: float = Field(0.5, gt=0, le=1)
    wild_held_out: float = Field(0.1, ge=0, lt=1)
    by_quality: bool = False
    refresh_every: int = Field(0, ge=0)
    labels: LabelConfig = LabelConfig()

    @model_validator(mode="after")
    def _labels_are_here(self) -> Self:
        if self.refresh_every and (self.workers or self.devices * self.num_nodes > 1):
            raise ValueError("refresh_every: labels are made in the training process; set workers 0 and devices 1")
        if self.refresh_every and self.by_quality:
            raise ValueError("by_quality: the quality is of the teacher's labels; leave it out, or refresh_every")
        return self

    def objective(self) -> Objective:
        return Objective(self.weights_3d.terms(), self.weights.terms(), self.by_quality)
