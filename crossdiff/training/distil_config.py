"""Settings of a distillation."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from crossdiff.training.config import LoopConfig
from crossdiff.training.losses import Objective, Pair


class DistilConfig(LoopConfig):
    """Distillation of guidance and steps: the student repeats in a few passes what its teacher does in many."""

    steps: int = Field(4500, ge=1)
    """Optimizer steps of the whole run."""
    batch_size: int = Field(32, ge=1)
    """Clips per step, on all devices together."""
    learning_rate: float = Field(3e-4, gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = Field(100, ge=0)
    """Steps over which the learning rate rises linearly to its peak."""
    decay: Literal["constant", "cosine"] = "cosine"
    """Learning rate after the warm-up: constant, or down a half cosine to 1 %."""
    ema_decay: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights, which is the model that is saved."""
    text_dropout: float = Field(0.0, ge=0, le=1)
    """Probability that a clip's caption is replaced by the empty text."""
    weighting: Literal["uniform"] = "uniform"
    """All steps of the student weigh the same."""
    velocity_weight: float = Field(3.0, ge=0)
    """Weight of differences between successive frames in the losses of 3D motion; 0 in the paper."""
    validate_every: int = Field(250, ge=0)
    """Steps between validation losses; the model with the lowest is kept in `best/`. 0: never."""
    validate_batches: int = Field(4, ge=1)
    """Held-out batches of a validation loss."""
    sampling_steps: int = Field(4, ge=1)
    """Steps of sampling with the distilled model, one pass of the network each."""
    teacher_steps: int = Field(20, ge=1, le=1000)
    """Steps of DDIM with guidance that they replace."""
    guidance: tuple[float, float] = (1.0, 4.0)
    """Lowest and highest scale of guidance, which the distilled model takes as an input."""
    mixture: bool = False
    """Distil mixture sampling too, from a stage-I model."""
    switch_step: int = Field(1, ge=0, le=999)
    """The timestep at which mixture sampling switches from 2D to 3D."""
    guidance_end: int = Field(800, ge=0, le=999)
    """The timestep below which the teacher is not guided in 3D; 0: it always is."""

    @model_validator(mode="after")
    def _learnable(self) -> Self:
        low, high = self.guidance
        if not 0 < low <= high:
            raise ValueError(f"guidance: expected a lowest scale above 0 and a highest one, got {low:g} and {high:g}")
        if self.sampling_steps > self.teacher_steps:
            raise ValueError(
                f"sampling_steps {self.sampling_steps} exceeds teacher_steps {self.teacher_steps}, which it replaces"
            )
        if self.film is not None:
            raise ValueError("film teaches to lift, which a distilled model does not; leave it out")
        if self.mixture and self.sampling_steps < 2:
            raise ValueError("mixture needs 2 sampling_steps or more: one for 2D, one from 2D to 3D")
        return self

    @model_validator(mode="after")
    def _all_directions_are_learnt(self) -> Self:
        for source, target in self._pairs:
            if (source, target) not in self.weights.terms():
                raise ValueError(f"weights: sampling takes {source} -> {target}, which needs a weight above 0")
        return self

    @property
    def _pairs(self) -> tuple[Pair, ...]:
        """The directions that sampling takes."""
        return (("3d", "3d"), ("2d", "2d"), ("2d", "3d")) if self.mixture else (("3d", "3d"),)

    def objective(self) -> Objective:
        """The weights of the directions that sampling takes."""
        terms = self.weights.terms()
        weights = {pair: terms[pair] for pair in self._pairs}
        return Objective(weights, weights)
