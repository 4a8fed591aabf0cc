"""Architecture of a CrossDiff network. The defaults are the paper's full size (85 M parameters)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, model_serializer, model_validator

from crossdiff.config import Config
from crossdiff.representation.layouts import FeatureLayout, layout_2d, layout_3d
from crossdiff.skeleton import SKELETONS, Skeleton
from crossdiff.types import DOMAINS, Domain


class Distillation(Config):
    """How a model was distilled: it samples in a few steps, and its guidance scale is an input of the network."""

    steps: int = Field(ge=1)
    """Steps of sampling, one pass of the network each."""
    guidance: tuple[float, float]
    """Lowest and highest scale of guidance that it has learnt."""
    teacher_steps: int = Field(ge=1)
    """Steps of DDIM that they replace."""
    mixture: bool
    """Whether mixture sampling was distilled too."""
    switch_step: int
    """The timestep at which mixture sampling switches from 2D to 3D."""
    guidance_end: int = 0
    """The timestep below which the teacher was not guided in 3D."""
    teacher: str
    """Hash of the weights that it was distilled from."""


class ModelConfig(Config):
    """Architecture of a CrossDiff network; sizes default to those of the paper and the authors' release."""

    skeleton: Literal["humanml3d", "kit"] = "humanml3d"
    """Skeleton of the motion."""
    layout_2d: Literal["paper", "official"] = "paper"
    """Layout of the 2D features: `paper` (132 values), or `official` (134), for the authors' checkpoints."""
    text_encoder: str = "minilm"
    """`minilm`, or `clip` or `clip:FOLDER`, the paper's."""
    text_dim: int = Field(384, ge=1, le=65536)
    """Width of the text embedding."""
    text_fingerprint: str = ""
    """Hash of the text encoder's weights; set by training."""
    text: Literal["token", "sequence"] = "token"
    """`token`: the sentence is added to the condition token. `sequence`: encoder layers also attend to its words."""
    domains: Literal["2d+3d", "3d"] = "2d+3d"
    """`3d`: a network without the 2D half."""
    shared_encoder: bool = True
    """Off: every decoder layer attends to the domain encoder's output (an ablation of the paper)."""
    cross_decoders: bool = True
    """Off: the encoder's last tokens are the output; then `decouple_root` must be off too."""
    aligned_decoders: bool = False
    """Add the encoder's last token of each frame to the decoders' learned queries; off in the paper."""
    decouple_root: bool = True
    """Off: root and pose features share all layers."""
    prediction: Literal["x", "v"] = "x"
    """Output of the last layer for 3D -> 3D: `x` (x_start, the paper's) or `v` (Salimans and Ho 2022)."""
    width: int = Field(512, ge=8, le=65536)
    """Width of the tokens."""
    heads: int = Field(4, ge=1, le=65536)
    """Attention heads."""
    feed_forward: int = Field(1024, ge=8, le=65536)
    """Hidden width of the feed-forward layers."""
    domain_layers: int = Field(4, ge=1, le=1000)
    """Layers of each domain encoder, L1 of the paper."""
    shared_layers: int = Field(6, ge=2, le=1000)
    """Layers of the shared encoder and of each decoder, L2 of the paper."""
    root_layers: int = Field(2, ge=1, le=1000)
    """Layers of the root decoders."""
    root_feed_forward: int = Field(512, ge=8, le=65536)
    """Hidden width of the root decoders' feed-forward layers."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Dropout rate."""
    norm_first: bool = False
    """Pre-norm instead of post-norm layers."""
    max_frames: int = Field(196, ge=1, le=100000)
    """Length of the longest motion, in frames."""
    frames_per_token: int = Field(1, ge=1, le=8)
    """Frames that share a token: more make the network cheaper, and its motion coarser."""
    distilled: Distillation | None = None
    """How the model was distilled; set by `crossdiff distil`, null for other models."""

    @model_serializer(mode="wrap")
    def _without_null(self, dump: Callable[[ModelConfig], dict[str, Any]]) -> dict[str, Any]:
        """Records of models that are not distilled stay as they were before there was distillation."""
        return {name: value for name, value in dump(self).items() if name != "distilled" or value is not None}

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
        """The domains of the network."""
        return DOMAINS if self.domains == "2d+3d" else ("3d",)

    def layout(self, domain: Domain) -> FeatureLayout:
        return layout_3d(self.body) if domain == "3d" else layout_2d(self.body, self.layout_2d)
