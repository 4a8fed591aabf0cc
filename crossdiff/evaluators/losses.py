"""Losses that train evaluators: T2M's contrastive loss and InfoNCE. Pairs that share a caption are no negatives."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def matching_loss(
    text: Float[Tensor, "b e"], motion: Float[Tensor, "b e"], shared: Bool[Tensor, "b b"], shift: int, margin: float
) -> Tensor:
    """T2M's contrastive loss.

    Squared distance of matched pairs, plus a squared hinge max(0, margin - d)^2 between each text and the motion
    `shift` rows away; pairs that share a caption are skipped.
    """
    near = (text - motion).square().sum(-1)
    far = (text - motion.roll(shift, 0)).square().sum(-1).clamp(min=1e-12).sqrt()
    fair = ~shared.roll(shift, 1).diagonal()
    lacking = (margin - far).clamp(min=0).square()
    return near.mean() + (lacking * fair).sum() / fair.sum().clamp(min=1)


def info_nce(
    text: Float[Tensor, "b e"], motion: Float[Tensor, "b e"], filtered: Bool[Tensor, "b b"], temperature: float
) -> Tensor:
    """Symmetric InfoNCE of unit vectors; `filtered` pairs off the diagonal are not used as negatives."""
    logits = text @ motion.T / temperature
    own = torch.eye(len(text), dtype=torch.bool, device=text.device)
    logits = logits.masked_fill(filtered & ~own, -torch.inf)
    target = torch.arange(len(text), device=text.device)
    return (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)) / 2
