"""The objective of equations 7 to 9: masked mean squared error of x_start in up to four directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.data.batch import MotionBatch
from crossdiff.diffusion.schedule import NUM_STEPS, add_noise
from crossdiff.models.model import CrossDiffModel
from crossdiff.types import Domain

Network = Callable[..., dict[tuple[Domain, Domain], Tensor]]


def masked_mse(
    predicted: Float[Tensor, "b t d"], target: Float[Tensor, "b t d"], trusted: Bool[Tensor, "b t d"]
) -> Float[Tensor, ""]:
    """Mean over the trusted values of each clip, then over the clips."""
    weight = trusted.to(predicted.dtype)
    error = (predicted - target).square() * weight
    return (error.sum((1, 2)) / weight.sum((1, 2)).clamp_min(1.0)).mean()


def cross_losses(
    network: Network,
    model: CrossDiffModel,
    batch: MotionBatch,
    text: Float[Tensor, "b e"],
    weights: Mapping[tuple[Domain, Domain], float],
    rng: torch.Generator,
) -> dict[tuple[Domain, Domain], Float[Tensor, ""]]:
    """One loss per (source, target) that has a weight.

    network: `model.network`, perhaps wrapped. Both domains of a clip get the same timestep and noise of their own,
    drawn on the CPU from `rng`. 2D values that were not seen enter the network as their mean.
    """
    sources = sorted({s for s, _ in weights})
    targets = sorted({t for _, t in weights})
    device = batch.frames.device
    t = torch.randint(0, NUM_STEPS, (len(batch.frames),), generator=rng).to(device)
    clean = {d: model.normalize(d, batch.features[d]) for d in sorted({*sources, *targets})}
    noisy: dict[Domain, Tensor] = {}
    for domain in sources:
        noise = torch.randn(clean[domain].shape, generator=rng).to(device)
        noisy[domain] = add_noise(clean[domain], noise, t)
        if domain == "2d":
            noisy[domain] = noisy[domain] * batch.seen
    predicted = network(noisy, t, text, batch.frames, targets=targets)
    return {(s, d): masked_mse(predicted[s, d].float(), clean[d], batch.trusted[d]) for s, d in weights}
