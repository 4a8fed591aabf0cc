"""What an evaluation is made of. Every value here is written into the result file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crossdiff.config import Config
from crossdiff.diffusion.config import SamplingConfig


class ProtocolConfig(Config):
    """The field's protocol (T2M, MDM): batches of 32 whose last, partial one is dropped, means over 20 replications.

    multimodality: of `multimodality_texts` captions `multimodality_samples` motions each, in the first
    `multimodality_replications` replications alone, because they are many (0: not measured).
    """

    replications: int = Field(20, ge=1)
    batch_size: int = Field(32, ge=4)
    diversity_pairs: int = Field(300, ge=1)
    multimodality_texts: int = Field(100, ge=1)
    multimodality_samples: int = Field(30, ge=2)
    multimodality_pairs: int = Field(10, ge=1)
    multimodality_replications: int = Field(5, ge=0)


class EvaluationConfig(Config):
    """batch_size: motions that are sampled together, of like lengths; it does not change them."""

    split: Literal["train", "val", "test"] = "test"
    seed: int = Field(0, ge=0)
    batch_size: int = Field(64, ge=1)
    protocol: ProtocolConfig = ProtocolConfig()
    sampling: SamplingConfig = SamplingConfig()
