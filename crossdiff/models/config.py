"""What a CrossDiff network is made of. The defaults are the paper's full size (85 M parameters)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from crossdiff.config import Config
from crossdiff.representation.layouts import FeatureLayout, layout_2d, layout_3d
from crossdiff.skeleton import SKELETONS, Skeleton
from crossdiff.types import DOMAINS, Domain


class ModelConfig(Config):
    """Sizes as in the paper and the authors' release; `domain_layers` is L1, `shared_layers` is L2.

    domains: `3d` alone makes a network without the 2D half. shared_encoder: without it every decoder layer attends to
    the domain encoder's output (the paper's ablation). cross_decoders: without them the encoder's last tokens are the
    output; then nothing decodes a root of its own, so `decouple_root` must be off too. aligned_decoders: the decoders
    begin with the encoder's last tokens, frame by frame, added to the learned queries (the paper's), so that what a
    frame holds need not pass through attention. text: `token` adds the
    sentence's vector to the condition token; `sequence` lets every encoder layer attend to the words as well.
    prediction: what the last layer gives from 3D to 3D, `x` (x_start, the paper's) or `v` (Salimans and Ho 2022); the
    network makes x_start of it either way. Elsewhere it is always x_start: v needs the noise of its own target, which
    other domains do not have, nor 2D values that were not seen.
    """

    skeleton: Literal["humanml3d", "kit"] = "humanml3d"
    layout_2d: Literal["paper", "official"] = "paper"
    text_encoder: str = "minilm"
    text_dim: int = Field(384, ge=1)
    text_fingerprint: str = ""
    text: Literal["token", "sequence"] = "token"
    domains: Literal["2d+3d", "3d"] = "2d+3d"
    shared_encoder: bool = True
    cross_decoders: bool = True
    aligned_decoders: bool = False
    decouple_root: bool = True
    prediction: Literal["x", "v"] = "x"
    width: int = Field(512, ge=8)
    heads: int = Field(4, ge=1)
    feed_forward: int = Field(1024, ge=8)
    domain_layers: int = Field(4, ge=1)
    shared_layers: int = Field(6, ge=2)
    root_layers: int = Field(2, ge=1)
    root_feed_forward: int = Field(512, ge=8)
    dropout: float = Field(0.1, ge=0, lt=1)
    norm_first: bool = False
    max_frames: int = Field(196, ge=1)
    frames_per_token: int = Field(1, ge=1, le=8)

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.width % 2:
            raise ValueError(f"width {self.width} must be even")
        if self.decouple_root and not self.cross_decoders:
            raise ValueError("decouple_root needs cross_decoders, which decode the root; switch it off")
        if self.aligned_decoders and not self.cross_decoders:
            raise ValueError("aligned_decoders needs cross_decoders; switch it off")
        if self.root_layers > self.shared_layers:
            raise ValueError(f"root_layers {self.root_layers} exceeds shared_layers {self.shared_layers}")
        if self.max_frames % self.frames_per_token:
            raise ValueError(
                f"max_frames {self.max_frames} is not a multiple of frames_per_token {self.frames_per_token}"
            )
        return self

    @property
    def body(self) -> Skeleton:
        return SKELETONS[self.skeleton]

    @property
    def domain_names(self) -> tuple[Domain, ...]:
        """The domains that the network has."""
        return DOMAINS if self.domains == "2d+3d" else ("3d",)

    def layout(self, domain: Domain) -> FeatureLayout:
        return layout_3d(self.body) if domain == "3d" else layout_2d(self.body, self.layout_2d)
