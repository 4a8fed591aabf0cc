"""The network of CrossDiff (paper, section 3.3): two domain encoders, one shared encoder, two cross decoders.

Root and pose features are decoupled: each has separate input and output layers, and the root's output is decoded
from the pose decoder's last layers (paper, section 3.5). `ModelConfig` can switch off each of these parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from crossdiff.models.config import ModelConfig
from crossdiff.models.prediction import x_start_of_v
from crossdiff.types import Domain

# Rows of the position table, which also covers the 1000 timesteps of the diffusion.
_TABLE_ROWS = 5000


def sinusoids(rows: int, width: int) -> Float[Tensor, "rows width"]:
    """Alternating sine and cosine, wavelengths from 2 pi to 10000 * 2 pi (Vaswani et al. 2017, section 3.5)."""
    # Values even where modules are built for their shapes alone.
    position = torch.arange(rows, dtype=torch.float32, device="cpu")[:, None]
    longest = torch.tensor(10000.0, device="cpu")
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32, device="cpu") * (-torch.log(longest) / width))
    return torch.stack([(position * rate).sin(), (position * rate).cos()], dim=-1).flatten(1)


@dataclass(frozen=True)
class Condition:
    """Inputs of an encoder's layers besides the tokens.

    token: time and text as one vector.
    ignore: tokens masked from attention, the condition token first.
    words, words_ignore: words that the layers attend to if text is a sequence, and their padding mask.
    """

    token: Float[Tensor, "b w"]
    ignore: Bool[Tensor, "b 1+n"] | None
    words: Float[Tensor, "b l w"] | None
    words_ignore: Bool[Tensor, "b l"] | None

    def repeat(self, times: int) -> Condition:
        """The same for a batch of several domains."""
        rest = (self.ignore, self.words, self.words_ignore)
        ignore, words, words_ignore = (None if x is None else x.repeat(times, *[1] * (x.ndim - 1)) for x in rest)
        return Condition(self.token.repeat(times, 1), ignore, words, words_ignore)


def encoder_layers(cfg: ModelConfig, count: int, feed_forward: int) -> nn.ModuleList:
    """Self-attention layers, which also attend to the words if text is a sequence."""
    layer = nn.TransformerEncoderLayer if cfg.text == "token" else nn.TransformerDecoderLayer
    return nn.ModuleList(_layer(layer, cfg, feed_forward) for _ in range(count))


def decoder_layers(cfg: ModelConfig, count: int, feed_forward: int) -> nn.ModuleList:
    return nn.ModuleList(_layer(nn.TransformerDecoderLayer, cfg, feed_forward) for _ in range(count))


def _layer(
    kind: type[nn.TransformerEncoderLayer] | type[nn.TransformerDecoderLayer], cfg: ModelConfig, feed_forward: int
) -> nn.Module:
    return kind(cfg.width, cfg.heads, feed_forward, cfg.dropout, "gelu", batch_first=True, norm_first=cfg.norm_first)


def run_encoder(
    layers: nn.ModuleList, tokens: Float[Tensor, "b 1+n w"], condition: Condition
) -> Iterator[Float[Tensor, "b 1+n w"]]:
    """The output of every layer."""
    for layer in layers:
        if condition.words is None:
            tokens = layer(tokens, src_key_padding_mask=condition.ignore)
        else:
            tokens = run_decoder_layer(layer, tokens, condition.words, condition.ignore, condition.words_ignore)
        yield tokens


def run_decoder_layer(
    layer: nn.Module,
    tokens: Float[Tensor, "b n w"],
    memory: Float[Tensor, "b m w"],
    ignore: Bool[Tensor, "b n"] | None,
    memory_ignore: Bool[Tensor, "b m"] | None,
) -> Float[Tensor, "b n w"]:
    """Output of a `TransformerDecoderLayer`. ignore, memory_ignore: True for padding.

    torch checks a padding mask of the memory with modules that take longer to import than a motion takes to sample. It
    does not check an attention mask with the same values. Gradients would keep that larger mask in memory, so training
    uses the padding mask.
    """
    if memory_ignore is None or torch.is_grad_enabled():
        return layer(tokens, memory, tgt_key_padding_mask=ignore, memory_key_padding_mask=memory_ignore)
    padding = torch.zeros_like(memory_ignore, dtype=tokens.dtype).masked_fill(memory_ignore, -torch.inf)
    attention = layer.multihead_attn
    assert isinstance(attention, nn.MultiheadAttention)
    per_head = padding.repeat_interleave(attention.num_heads, 0)
    memory_mask = per_head[:, None].expand(-1, tokens.shape[1], -1)
    return layer(tokens, memory, memory_mask=memory_mask, tgt_key_padding_mask=ignore)


class ScaleEmbedding(nn.Module):
    """The scale of guidance as a part of the condition token (Meng et al. 2023, section 3.1); 0 at first."""

    # Sines and cosines of periods from 32 down to 1/4.
    _FEATURES = 16

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(self._FEATURES, width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, scale: Float[Tensor, " b"]) -> Float[Tensor, "b w"]:
        rates = 2.0 ** torch.arange(-5, self._FEATURES // 2 - 5, device=scale.device)
        phase = 2 * torch.pi * scale[:, None].float() * rates
        return self.out(nn.functional.silu(self.hidden(torch.cat([phase.sin(), phase.cos()], dim=-1))))


class DomainEncoder(nn.Module):
    """Tokens of one domain's noisy motion: pose through L1 layers (equation 3), root through a separate branch."""

    def __init__(self, cfg: ModelConfig, domain: Domain) -> None:
        super().__init__()
        self.cfg, self.layout = cfg, cfg.layout(domain)
        root_dim = self.layout.root_dim if cfg.decouple_root else 0
        self.pose_in = nn.Linear((self.layout.dim - root_dim) * cfg.frames_per_token, cfg.width)
        self.pose_layers = encoder_layers(cfg, cfg.domain_layers, cfg.feed_forward)
        if cfg.decouple_root:
            self.root_in = nn.Linear(root_dim * cfg.frames_per_token, cfg.width)
            self.root_layers = encoder_layers(cfg, cfg.root_layers, cfg.root_feed_forward)

    def forward(
        self, x: Float[Tensor, "b t d"], condition: Condition, table: Float[Tensor, "rows w"]
    ) -> tuple[Float[Tensor, "b 1+n w"], Float[Tensor, "b n w"] | None]:
        """Pose tokens with the condition token first, and root tokens without it (None if not decoupled)."""
        pose = self._tokens(self.pose_in, x[..., self.layout.pose] if self.cfg.decouple_root else x, condition, table)
        *_, pose = run_encoder(self.pose_layers, pose, condition)
        if not self.cfg.decouple_root:
            return pose, None
        root = self._tokens(self.root_in, x[..., self.layout.root], condition, table)
        *_, root = run_encoder(self.root_layers, root, condition)
        return pose, root[:, 1:]

    def _tokens(self, into: nn.Linear, part: Tensor, condition: Condition, table: Tensor) -> Tensor:
        packed = part.reshape(part.shape[0], part.shape[1] // self.cfg.frames_per_token, -1)
        tokens = torch.cat([condition.token[:, None], into(packed)], dim=1)
        return tokens + table[: tokens.shape[1]]


class DomainDecoder(nn.Module):
    """Clean motion of one domain from the levels of the encoder (equation 5)."""

    def __init__(self, cfg: ModelConfig, domain: Domain) -> None:
        super().__init__()
        self.cfg = cfg
        layout, pack = cfg.layout(domain), cfg.frames_per_token
        root_dim = layout.root_dim if cfg.decouple_root else 0
        self.pose_out = nn.Linear(cfg.width, (layout.dim - root_dim) * pack)
        if cfg.cross_decoders:
            self.query = nn.Parameter(nn.init.normal_(torch.empty(cfg.max_frames // pack, cfg.width), std=0.02))
            self.pose_layers = decoder_layers(cfg, cfg.shared_layers, cfg.feed_forward)
        if cfg.decouple_root:
            self.root_layers = decoder_layers(cfg, cfg.root_layers, cfg.root_feed_forward)
            self.root_out = nn.Linear(cfg.width, root_dim * pack)

    def forward(
        self,
        levels: Sequence[Float[Tensor, "b 1+n w"]],
        root: Float[Tensor, "b n w"] | None,
        ignore: Bool[Tensor, "b 1+n"] | None,
    ) -> Float[Tensor, "b t d"]:
        """Pose layer i attends to level i; the root's layers attend to the last pose layers' outputs."""
        if not self.cfg.cross_decoders:
            return self._frames(self.pose_out(levels[-1][:, 1:]))
        frames_ignore = None if ignore is None else ignore[:, 1:]
        batch, tokens = levels[0].shape[:2]
        pose = self.query[: tokens - 1].expand(batch, -1, -1)
        if self.cfg.aligned_decoders:
            pose = pose + levels[-1][:, 1:]
        outputs = []
        for layer, level in zip(self.pose_layers, levels, strict=True):
            pose = run_decoder_layer(layer, pose, level, frames_ignore, ignore)
            outputs.append(pose)
        pose_features = self._frames(self.pose_out(pose))
        if root is None:
            return pose_features
        for layer, memory in zip(self.root_layers, outputs[-len(self.root_layers) :], strict=True):
            root = run_decoder_layer(layer, root, memory, frames_ignore, frames_ignore)
        return torch.cat([self._frames(self.root_out(root)), pose_features], dim=-1)

    def _frames(self, tokens: Tensor) -> Tensor:
        return tokens.reshape(tokens.shape[0], tokens.shape[1] * self.cfg.frames_per_token, -1)


class CrossDiffNetwork(nn.Module):
    """G of equation 6: predicts clean motion in either domain from noisy motion in either domain."""

    table: Tensor

    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.register_buffer("table", sinusoids(_TABLE_ROWS, cfg.width), persistent=False)
        self.time = nn.Sequential(nn.Linear(cfg.width, cfg.width), nn.SiLU(), nn.Linear(cfg.width, cfg.width))
        self.text = nn.Linear(cfg.text_dim, cfg.width)
        self.scale = ScaleEmbedding(cfg.width) if cfg.distilled else None
        self.encoders = nn.ModuleDict({d: DomainEncoder(cfg, d) for d in cfg.domain_names})
        self.shared = encoder_layers(cfg, cfg.shared_layers if cfg.shared_encoder else 0, cfg.feed_forward)
        self.decoders = nn.ModuleDict({d: DomainDecoder(cfg, d) for d in cfg.domain_names})

    def forward(
        self,
        inputs: Mapping[Domain, Float[Tensor, "b t d"]],
        t: Int[Tensor, " b"],
        text: Float[Tensor, "b *l e"],
        mask: Bool[Tensor, "b t"] | None = None,
        targets: Sequence[Domain] | None = None,
        scale: Float[Tensor, " b"] | None = None,
    ) -> dict[tuple[Domain, Domain], Float[Tensor, "b t d"]]:
        """Clean motion for every (source, target) pair of the given inputs and targets (all domains by default).

        inputs: normalised noisy features per domain, all of one length T <= max_frames; t: timesteps 0..999;
        text: from `crossdiff.text.stack_text`, (B, E) or for word sequences (B, L, E), zeros for the null condition;
        mask: True for real frames. Padding does not affect real frames. The inputs
        of both domains go through the shared encoder as one batch (equation 4). scale: of guidance, for a distilled
        network; None: 1.
        """
        frames = next(iter(inputs.values())).shape[1]
        if frames > self.cfg.max_frames:
            raise ValueError(f"expected at most {self.cfg.max_frames} frames, got {frames}")
        pad = -frames % self.cfg.frames_per_token
        if pad and mask is None:
            mask = torch.ones(t.shape[0], frames, dtype=torch.bool, device=t.device)
        condition = self._condition(t, text, None if mask is None else self._ignore(mask, pad), scale)
        poses, roots = [], []
        for domain, x in inputs.items():
            if mask is not None:
                x = nn.functional.pad(x.masked_fill(~mask[..., None], 0.0), (0, 0, 0, pad))
            pose, root = self.encoders[domain](x, condition, self.table)
            poses.append(pose)
            roots.append(root)
        both = condition.repeat(len(inputs))
        encoded = torch.cat(poses)
        levels = list(run_encoder(self.shared, encoded, both)) or [encoded] * self.cfg.shared_layers

        outputs: dict[tuple[Domain, Domain], Tensor] = {}
        root_tokens = torch.cat([r for r in roots if r is not None]) if self.cfg.decouple_root else None
        for target in self.cfg.domain_names if targets is None else targets:
            decoded = self.decoders[target](levels, root_tokens, both.ignore)[:, :frames]
            for source, part in zip(inputs, decoded.chunk(len(inputs)), strict=True):
                as_v = self.cfg.prediction == "v" and source == target == "3d"
                outputs[source, target] = x_start_of_v(inputs[source], part, t) if as_v else part
        return outputs

    def _condition(self, t: Tensor, text: Tensor, ignore: Tensor | None, scale: Tensor | None) -> Condition:
        time = self.time(self.table[t])
        if self.scale is not None:
            time = time + self.scale(torch.ones(len(t), device=t.device) if scale is None else scale)
        if self.cfg.text == "token":
            return Condition(time + self.text(text), ignore, None, None)
        words = self.text(text)
        # Rows of zeros are padding, except the first, the sentence's, which is zero in the null condition.
        padding = (text == 0).all(-1)
        padding[:, 0] = False
        return Condition(time + words[:, 0], ignore, words, padding)

    def _ignore(self, mask: Tensor, pad: int) -> Tensor:
        """Tokens masked from attention (True = ignore), the condition token first."""
        packed = nn.functional.pad(mask, (0, pad)).unflatten(1, (-1, self.cfg.frames_per_token)).any(-1)
        return ~torch.cat([torch.ones_like(packed[:, :1]), packed], dim=1)
