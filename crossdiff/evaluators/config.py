"""Settings for training evaluators."""

from __future__ import annotations

from pydantic import Field

from crossdiff.config import Config
from crossdiff.evaluators.evaluators import EvaluatorConfig


class PhaseConfig(Config):
    """A phase of training with Adam at a constant learning rate."""

    steps: int = Field(ge=1)
    """Optimizer steps."""
    batch_size: int = Field(32, ge=2)
    """Clips per step."""
    learning_rate: float = Field(1e-4, gt=0)
    """Learning rate."""
    gradient_clip: float = Field(0.0, ge=0)
    """Largest norm of each network's gradients. 0: no clipping."""


class EvaluatorTraining(Config):
    """Sizes and phases. T2M's evaluator has the phases `movement` and `matching`, TMR's has `contrastive`."""

    evaluator: EvaluatorConfig = EvaluatorConfig()
    """Architecture."""
    movement: PhaseConfig = PhaseConfig(steps=200_000, batch_size=128)
    """Phase of the movement autoencoder (t2m)."""
    matching: PhaseConfig = PhaseConfig(steps=200_000, gradient_clip=0.5)
    """Phase that matches text and motion (t2m)."""
    contrastive: PhaseConfig = PhaseConfig(steps=50_000, batch_size=64, gradient_clip=1.0)
    """The only phase of tmr."""
    margin: float = Field(10.0, gt=0)
    """Margin of T2M's contrastive loss."""
    temperature: float = Field(0.1, gt=0)
    """Temperature of InfoNCE (tmr)."""
    similar: float = Field(0.8, gt=0, le=1)
    """Cosine similarity of two captions above which they are no negatives of each other (tmr)."""
    validate_every: int = Field(200, ge=1)
    """Steps between validation losses; the weights with the lowest are kept."""
    seed: int = Field(0, ge=0)
    """Seed of the weights and batches."""
