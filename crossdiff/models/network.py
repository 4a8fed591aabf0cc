"""The network of CrossDiff (paper, section 3.3): two domain encoders, one shared encoder, two cross decoders.

Root and pose features are decoupled: each has layers of its own for input and output, and the root's output is
decoded from the pose decoder's last layers (paper, section 3.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from crossdiff.models.config import ModelConfig
from crossdiff.types import DOMAINS, Domain

# Rows of the position table; timesteps are looked up in it too, so it covers the diffusion's 1000.
_TABLE_ROWS = 5000


def sinusoids(rows: int, width: int) -> Float[Tensor, "rows width"]:
    """Sine and cosine in turn, wavelengths from 2 pi to 10000 * 2 pi (Vaswani et al. 2017, section 3.5)."""
    position = torch.arange(rows, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-torch.log(torch.tensor(10000.0)) / width))
    return torch.stack([(position * rate).sin(), (position * rate).cos()], dim=-1).flatten(1)


def _encoder_layer(cfg: ModelConfig, feed_forward: int) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(
        cfg.width, cfg.heads, feed_forward, cfg.dropout, "gelu", batch_first=True, norm_first=cfg.norm_first
    )


def _decoder_layer(cfg: ModelConfig, feed_forward: int) -> nn.TransformerDecoderLayer:
    return nn.TransformerDecoderLayer(
        cfg.width, cfg.heads, feed_forward, cfg.dropout, "gelu", batch_first=True, norm_first=cfg.norm_first
    )


class DomainEncoder(nn.Module):
    """Tokens of one domain's noisy motion: pose through L1 layers (equation 3), root through a branch of its own."""

    def __init__(self, cfg: ModelConfig, domain: Domain) -> None:
        super().__init__()
        layout = cfg.layout(domain)
        self.layout = layout
        self.frames_per_token = cfg.frames_per_token
        self.pose_in = nn.Linear((layout.dim - layout.root_dim) * cfg.frames_per_token, cfg.width)
        self.root_in = nn.Linear(layout.root_dim * cfg.frames_per_token, cfg.width)
        self.pose_layers = nn.ModuleList(_encoder_layer(cfg, cfg.feed_forward) for _ in range(cfg.domain_layers))
        self.root_layers = nn.ModuleList(_encoder_layer(cfg, cfg.root_feed_forward) for _ in range(cfg.root_layers))

    def forward(
        self, x: Float[Tensor, "b t d"], condition: Float[Tensor, "b w"], table: Tensor, ignore: Tensor | None
    ) -> tuple[Float[Tensor, "b 1+n w"], Float[Tensor, "b n w"]]:
        """Pose tokens with the condition token first, and root tokens without it."""
        pose = self._tokens(self.pose_in, x[..., self.layout.pose], condition, table)
        for layer in self.pose_layers:
            pose = layer(pose, src_key_padding_mask=ignore)
        root = self._tokens(self.root_in, x[..., self.layout.root], condition, table)
        for layer in self.root_layers:
            root = layer(root, src_key_padding_mask=ignore)
        return pose, root[:, 1:]

    def _tokens(self, into: nn.Linear, part: Tensor, condition: Tensor, table: Tensor) -> Tensor:
        packed = part.reshape(part.shape[0], part.shape[1] // self.frames_per_token, -1)
        tokens = torch.cat([condition[:, None], into(packed)], dim=1)
        return tokens + table[: tokens.shape[1]]


class DomainDecoder(nn.Module):
    """Clean motion of one domain from the levels of the shared encoder (equation 5)."""

    def __init__(self, cfg: ModelConfig, domain: Domain) -> None:
        super().__init__()
        layout = cfg.layout(domain)
        pack = cfg.frames_per_token
        self.query = nn.Parameter(torch.randn(cfg.max_frames // pack, cfg.width) * 0.02)
        self.pose_layers = nn.ModuleList(_decoder_layer(cfg, cfg.feed_forward) for _ in range(cfg.shared_layers))
        self.root_layers = nn.ModuleList(_decoder_layer(cfg, cfg.root_feed_forward) for _ in range(cfg.root_layers))
        self.pose_out = nn.Linear(cfg.width, (layout.dim - layout.root_dim) * pack)
        self.root_out = nn.Linear(cfg.width, layout.root_dim * pack)
        self.frames_per_token = pack

    def forward(
        self,
        levels: Sequence[Float[Tensor, "b 1+n w"]],
        root: Float[Tensor, "b n w"],
        ignore: Tensor | None,
    ) -> Float[Tensor, "b t d"]:
        """Pose layer i attends to shared level i; the root's layers attend to the last pose layers' outputs."""
        frames_ignore = None if ignore is None else ignore[:, 1:]
        pose = self.query[: root.shape[1]].expand(root.shape[0], -1, -1)
        outputs = []
        for layer, level in zip(self.pose_layers, levels, strict=True):
            pose = layer(pose, level, tgt_key_padding_mask=frames_ignore, memory_key_padding_mask=ignore)
            outputs.append(pose)
        last = outputs[-len(self.root_layers) :]
        for layer, memory in zip(self.root_layers, last, strict=True):
            root = layer(root, memory, tgt_key_padding_mask=frames_ignore, memory_key_padding_mask=frames_ignore)
        parts = [self._frames(self.root_out(root)), self._frames(self.pose_out(pose))]
        return torch.cat(parts, dim=-1)

    def _frames(self, tokens: Tensor) -> Tensor:
        return tokens.reshape(tokens.shape[0], tokens.shape[1] * self.frames_per_token, -1)


class CrossDiffNetwork(nn.Module):
    """G of equation 6: predicts clean motion in either domain from noisy motion in either domain."""

    table: Tensor

    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.register_buffer("table", sinusoids(_TABLE_ROWS, cfg.width), persistent=False)
        self.time = nn.Sequential(nn.Linear(cfg.width, cfg.width), nn.SiLU(), nn.Linear(cfg.width, cfg.width))
        self.text = nn.Linear(cfg.text_dim, cfg.width)
        self.encoders = nn.ModuleDict({d: DomainEncoder(cfg, d) for d in DOMAINS})
        self.shared = nn.ModuleList(_encoder_layer(cfg, cfg.feed_forward) for _ in range(cfg.shared_layers))
        self.decoders = nn.ModuleDict({d: DomainDecoder(cfg, d) for d in DOMAINS})

    def forward(
        self,
        inputs: Mapping[Domain, Float[Tensor, "b t d"]],
        t: Int[Tensor, " b"],
        text: Float[Tensor, "b e"],
        mask: Bool[Tensor, "b t"] | None = None,
        targets: Sequence[Domain] = DOMAINS,
    ) -> dict[tuple[Domain, Domain], Float[Tensor, "b t d"]]:
        """Clean motion for every (source, target) pair of the given inputs and targets.

        inputs: normalised noisy features per domain, all of one length T <= max_frames; t: timesteps 0..999;
        text: embeddings, zero rows for the null condition; mask: True where a frame is real. Frames that are not
        real change no others. The inputs of both domains go through the shared encoder as one batch (equation 4).
        """
        frames = next(iter(inputs.values())).shape[1]
        if frames > self.cfg.max_frames:
            raise ValueError(f"expected at most {self.cfg.max_frames} frames, got {frames}")
        pad = -frames % self.cfg.frames_per_token
        if pad and mask is None:
            mask = torch.ones(t.shape[0], frames, dtype=torch.bool, device=t.device)
        ignore = None if mask is None else self._ignore(mask, pad)

        condition = self.time(self.table[t]) + self.text(text)
        poses, roots = [], []
        for domain, x in inputs.items():
            if mask is not None:
                x = nn.functional.pad(x * mask[..., None], (0, 0, 0, pad))
            pose, root = self.encoders[domain](x, condition, self.table, ignore)
            poses.append(pose)
            roots.append(root)
        ignore_all = None if ignore is None else ignore.repeat(len(inputs), 1)
        levels = [torch.cat(poses)]
        for layer in self.shared:
            levels.append(layer(levels[-1], src_key_padding_mask=ignore_all))

        outputs: dict[tuple[Domain, Domain], Tensor] = {}
        for target in targets:
            decoded = self.decoders[target](levels[1:], torch.cat(roots), ignore_all)[:, :frames]
            for source, part in zip(inputs, decoded.chunk(len(inputs)), strict=True):
                outputs[source, target] = part
        return outputs

    def _ignore(self, mask: Tensor, pad: int) -> Tensor:
        """Tokens that attention must not see (True = ignore), the condition token first."""
        packed = nn.functional.pad(mask, (0, pad)).unflatten(1, (-1, self.cfg.frames_per_token)).any(-1)
        return ~torch.cat([torch.ones_like(packed[:, :1]), packed], dim=1)
