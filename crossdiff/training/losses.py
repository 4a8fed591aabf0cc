"""The objective of equations 7 to 9: masked mean squared error of x_start in up to four directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jaxtyping import Bool, Float
from torch import Tensor

from crossdiff.data.batch import MotionBatch
from crossdiff.diffusion.schedule import add_noise
from crossdiff.models.model import CrossDiffModel
from crossdiff.training.draws import Draws
from crossdiff.types import DOMAINS, Domain

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
    text: Float[Tensor, "b *l e"],
    weights: Mapping[tuple[Domain, Domain], float],
    draws: Draws,
) -> dict[tuple[Domain, Domain], Float[Tensor, ""]]:
    """One loss per (source, target) that has a weight.

    network: `model.network`, perhaps wrapped. Both domains of a clip get the same timestep and noise of their own.
    2D values that were not seen enter the network as their mean. A clip without 3D counts as 0 in every direction
    from or to 3D: where half of a batch has 3D, these directions weigh half as much.
    """
    sources = sorted({s for s, _ in weights})
    targets = sorted({t for _, t in weights})
    device = batch.frames.device
    t = draws.t.to(device)
    clean = {d: model.normalize(d, batch.features[d]) for d in sorted({*sources, *targets})}
    noisy: dict[Domain, Tensor] = {}
    for domain in sources:
        noise = draws.noise(batch.lengths, clean[domain].shape[-1], DOMAINS.index(domain), device)
        noisy[domain] = add_noise(clean[domain], noise, t)
        if domain == "2d":
            noisy[domain] = noisy[domain] * batch.seen
    # Without padding no mask is needed, and attention may take its fastest kernel.
    frames = batch.frames if len(set(batch.lengths)) > 1 else None
    predicted = network(noisy, t, text, frames, targets=targets)
    losses = {}
    for source, target in weights:
        trusted = batch.trusted[target]
        if source == "3d":
            trusted = trusted & batch.has_3d[:, None, None]
        losses[source, target] = masked_mse(predicted[source, target].float(), clean[target], trusted)
    return losses
