"""Settings of training. Defaults are the paper's; the shipped YAML files have settings for other machines."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from crossdiff.config import Config
from crossdiff.data.mocap import ViewConfig
from crossdiff.data.simulation.config import FilmConfig
from crossdiff.diffusion.lifting import LabelConfig
from crossdiff.models.config import ModelConfig
from crossdiff.training.loggers import LoggerName
from crossdiff.training.losses import Objective, Pair, Weighting


class LossWeights(Config):
    """Weights of equation 8, by source and target domain; the first digit is the source."""

    w33: float = Field(1.0, ge=0)
    """Weight of 3D -> 3D."""
    w23: float = Field(1.0, ge=0)
    """Weight of 2D -> 3D."""
    w32: float = Field(1.0, ge=0)
    """Weight of 3D -> 2D."""
    w22: float = Field(1.0, ge=0)
    """Weight of 2D -> 2D."""

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
    """Settings that every kind of training shares."""

    steps: int = Field(ge=1)
    """Optimizer steps of the whole run."""
    batch_size: int = Field(32, ge=1)
    """Clips per step, on all devices together."""
    learning_rate: float = Field(1e-4, gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = Field(500, ge=0)
    """Steps over which the learning rate rises linearly to its peak."""
    decay: Literal["constant", "cosine"] = "constant"
    """Learning rate after the warm-up: constant, or down a half cosine to 1 %."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay of AdamW."""
    gradient_clip: float = Field(1.0, gt=0)
    """Largest norm of the gradients; larger ones are scaled down to it."""
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Decay of the moving average of the weights, which is the model that is saved."""
    text_dropout: float = Field(0.1, ge=0, le=1)
    """Probability that a clip's caption is replaced by the empty text, for classifier-free guidance."""
    weights: LossWeights = LossWeights()
    """Weight of the loss in each direction between the domains."""
    weighting: Weighting = "uniform"
    """Weight of each timestep in the loss of 3D -> 3D; see `timestep_weights`."""
    velocity_weight: float = Field(0.0, ge=0)
    """Weight of differences between successive frames in the losses of 3D motion; 0 in the paper."""
    views: ViewConfig = ViewConfig()
    """2D views of the 3D clips, and what is hidden in them."""
    balance: float = Field(0.0, ge=0, le=1)
    """How much more often clips with a rare caption are drawn: a clip's weight is the number of clips with its first
    caption, to the power of minus this. 0: all equally often."""
    film: FilmConfig | None = None
    """Simulated film beside the 3D clips, which teaches to lift what detectors find; null: none. Not for stage 2."""
    max_frames: int = Field(196, ge=8)
    """Length of the longest training window, in frames."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """`auto`: bf16-mixed where the GPU or CPU has instructions for it, else 32-true."""
    seed: int = Field(0, ge=0)
    """Seed of the weights, the batches and the noise."""
    log_every: int = Field(20, ge=1)
    """Steps between rows of `loss.csv`."""
    logger: LoggerName = "tensorboard"
    """Where losses and videos are shown besides `loss.csv`: tensorboard, wandb (Weights & Biases), or csv: nowhere."""
    validate_every: int = Field(1000, ge=0)
    """Steps between validation losses; the model with the lowest is kept in `best/`. 0: never."""
    validate_batches: int = Field(8, ge=1)
    """Held-out batches of a validation loss."""
    sample_every: int = Field(0, ge=0)
    """Steps between videos of sampled motion. 0: never."""
    sample_prompts: tuple[str, ...] = ()
    """Prompts of these videos; without any, captions of held-out clips."""
    checkpoint_every: int = Field(500, ge=1)
    """Steps between states that a run resumes from."""
    keep: int = Field(2, ge=1)
    """Number of such states that are kept."""
    workers: int = Field(0, ge=0)
    """Processes that prepare batches; 0: the training process does it."""
    device: str = "auto"
    """cpu, cuda, or one GPU, such as cuda:1; auto: the GPU if there is one."""
    devices: int = Field(1, ge=1)
    """GPUs, or CPU processes, of each machine."""
    num_nodes: int = Field(1, ge=1)
    """Machines."""

    @model_validator(mode="after")
    def _whole_shares(self) -> Self:
        if self.batch_size % (self.devices * self.num_nodes):
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of {self.devices * self.num_nodes} devices"
            )
        if ":" in self.device and self.devices * self.num_nodes > 1:
            raise ValueError(f"device {self.device} is one GPU; leave it out, or set devices and num_nodes to 1")
        return self


class ShortWindows(Config):
    """Short training windows in the first part of a run, whole clips after it."""

    frames: int = Field(ge=8)
    """Longest window in the first part, in frames."""
    share: float = Field(gt=0, lt=1)
    """Fraction of the steps that make up the first part."""


class TrainConfig(LoopConfig):
    """Stage I trains all directions; stage II continues from its checkpoint with 3D -> 3D alone (equation 9).

    `weights` apply to stage I of a network with both domains.
    """

    stage: Literal[1, 2] = 1
    """1: all directions between 2D and 3D. 2: 3D -> 3D alone, from a stage-I checkpoint."""
    model: ModelConfig = ModelConfig()
    """Architecture of the network."""
    share_3d: float = Field(1.0, gt=0, le=1)
    """Fraction of the dataset's clips whose 3D motion is used."""
    share_2d: float = Field(1.0, gt=0, le=1)
    """Fraction whose 2D views are used; in the paper's table 2, `50 % 3D + 100 % 2D` is 0.5 and 1."""
    extra_ratio: float = Field(0.5, gt=0, lt=1)
    """Fraction of a batch that comes from the 2D clips of a pipeline run, where one is given."""
    short_windows: ShortWindows | None = None
    """Short windows first; null: whole clips from the start."""

    @model_validator(mode="after")
    def _ordered_shares(self) -> Self:
        if self.share_2d < self.share_3d:
            raise ValueError(f"share_2d {self.share_2d} is below share_3d {self.share_3d}; clips with 3D have 2D too")
        return self

    @model_validator(mode="after")
    def _not_distilled(self) -> Self:
        if self.model.distilled is not None:
            raise ValueError("model.distilled is set by `crossdiff distil`; leave it out")
        return self

    @model_validator(mode="after")
    def _film_has_both_halves(self) -> Self:
        if self.film is not None and (self.stage == 2 or self.model.domains == "3d"):
            raise ValueError("film teaches 2D -> 3D: it needs stage 1 and a network of both domains; leave it out")
        return self

    def objective(self) -> Objective:
        """The weights of the stage, without the directions that the network does not have."""
        only_3d = self.stage == 2 or self.model.domains == "3d"
        terms = (LossWeights(w33=1, w23=0, w32=0, w22=0) if only_3d else self.weights).terms()
        return Objective(terms, terms)


class FinetuneConfig(LoopConfig):
    """Fine-tuning on wild clips (paper, section 4.3): cross terms weigh a tenth, half of a batch is wild."""

    steps: int = Field(1000, ge=1)
    """Optimizer steps of the whole run."""
    batch_size: int = Field(8, ge=1)
    """Clips per step, on all devices together."""
    learning_rate: float = Field(1e-5, gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = Field(50, ge=0)
    """Steps over which the learning rate rises linearly to its peak."""
    weights: LossWeights = LossWeights(w33=1, w23=0.1, w32=0.1, w22=1)
    """Weight of each direction for wild clips."""
    weights_3d: LossWeights = LossWeights()
    """Weight of each direction for clips of the 3D dataset."""
    validate_every: int = Field(250, ge=0)
    """Steps between validation losses; the model with the lowest is kept in `best/`. 0: never."""
    checkpoint_every: int = Field(100, ge=1)
    """Steps between states that a run resumes from."""
    wild_ratio: float = Field(0.5, gt=0, le=1)
    """Fraction of a batch that is wild, where there is 3D motion beside: a dataset's, or replay."""
    replay: int = Field(256, ge=0)
    """Motions that the starting model samples of captions it learnt and that keep what it knows, where no 3D dataset is
    given. 0: none."""
    replay_weight: float = Field(5.0, gt=0)
    """Weight of the loss of these motions, whose targets are the predictions of the starting model."""
    repeat_cycles: bool = True
    """Whether wild clips that end as they begin, such as one squat, are repeated in random windows, so that the model
    learns to go on."""
    place_in: int = Field(96, ge=0)
    """Frames of the longest windows that other wild clips are placed in, so that their actions also begin and end in
    longer motions. Frames around a clip hold its first and last pose and do not count in the loss. 0: clips alone."""
    wild_held_out: float = Field(0.1, ge=0, lt=1)
    """Fraction of the wild clips held out for validation, where there are at least 20."""
    wild_target: Literal["label", "picture"] = "label"
    """What the 3D motion of wild clips is judged by: all features of the pseudo label, or the clip's own picture, where
    errors of the label's depth do not count; see `picture_losses`."""
    by_quality: bool = False
    """Whether pseudo labels are weighted by their quality."""
    refresh_every: int = Field(0, ge=0)
    """Steps after which the model relabels the wild clips. 0: the teacher's labels are kept."""
    labels: LabelConfig = LabelConfig()
    """Settings of this relabelling, as in `pseudo-label`."""

    @model_validator(mode="after")
    def _labels_are_here(self) -> Self:
        if self.refresh_every and (self.workers or self.devices * self.num_nodes > 1):
            raise ValueError("refresh_every: labels are made in the training process; set workers 0 and devices 1")
        if self.refresh_every and self.by_quality:
            raise ValueError("by_quality: the quality is of the teacher's labels; leave it out, or refresh_every")
        return self

    def objective(self, replayed: bool = False) -> Objective:
        """The weights of 3D clips, or of replayed ones, and of wild clips."""
        scale = self.replay_weight if replayed else 1.0
        weights_3d = {pair: scale * weight for pair, weight in self.weights_3d.terms().items()}
        return Objective(weights_3d, self.weights.terms(), self.by_quality)
