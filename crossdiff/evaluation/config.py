"""Settings of an evaluation. All of them are written into the result file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crossdiff.config import Config
from crossdiff.diffusion.config import SamplingConfig

# R-precision ranks each text among the motions of a batch, up to the third place.
MIN_BATCH = 4


class ProtocolConfig(Config):
    """The field's protocol (T2M, MDM): batches of 32 without the last, partial one; means over 20 replications."""

    replications: int = Field(20, ge=1)
    """Replications, each with new captions, batches and samples."""
    batch_size: int = Field(32, ge=MIN_BATCH)
    """Clips per batch of R-precision and MM-Dist."""
    diversity_pairs: int = Field(300, ge=1)
    """Pairs of motions whose mean distance is the diversity."""
    multimodality_texts: int = Field(100, ge=1)
    """Captions that are sampled repeatedly for multimodality."""
    multimodality_samples: int = Field(30, ge=2)
    """Motions of each such caption."""
    multimodality_pairs: int = Field(10, ge=1)
    """Pairs of motions of each such caption whose distance is measured."""
    multimodality_replications: int = Field(5, ge=0)
    """Number of replications, from the first, with multimodality, which is costly. 0: none."""


class EvaluationConfig(Config):
    """Settings of an evaluation; all of them are written into its result."""

    split: Literal["train", "val", "test"] = "test"
    """Split of the dataset."""
    seed: int = Field(0, ge=0)
    """Seed of batches, captions and noise."""
    batch_size: int = Field(64, ge=1)
    """Motions that are sampled together, of similar length; the result does not depend on it."""
    protocol: ProtocolConfig = ProtocolConfig()
    """Batches and replications."""
    sampling: SamplingConfig = SamplingConfig()
    """How motion is sampled."""
