"""The objective of equations 7 to 9: masked mean squared error of x_start in up to four directions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import huber_loss

from crossdiff.data.batch import FilmedBatch, MotionBatch
from crossdiff.diffusion.lifting import normalize_observed
from crossdiff.diffusion.schedule import add_noise
from crossdiff.models.model import CrossDiffModel
from crossdiff.models.prediction import kept_signal
from crossdiff.training.draws import Draws
from crossdiff.training.masked import masked_mse
from crossdiff.training.picture import picture_losses
from crossdiff.types import DOMAINS, Domain

Pair = tuple[Domain, Domain]
Network = Callable[..., dict[Pair, Tensor]]
Weighting = Literal["uniform", "min-snr", "v"]

_MOST_SNR = 5.0
# Standard deviations at which targets of filmed clips are clipped, and the weights of their groups of features.
_MOST = 8.0
_FILM_WEIGHTS = {"root": 2.0, "positions": 2.0, "velocities": 0.3}


@dataclass(frozen=True)
class Objective:
    """Weights of each (source, target), for clips with measured 3D motion and for wild ones.

    by_quality: weight the terms that use a pseudo label by the label's quality.
    """

    mocap: Mapping[Pair, float]
    wild: Mapping[Pair, float]
    by_quality: bool = False

    @property
    def pairs(self) -> list[Pair]:
        """All directions with a weight above 0."""
        return [p for p in dict.fromkeys([*self.mocap, *self.wild]) if self.mocap.get(p) or self.wild.get(p)]

    def clip_losses(
        self,
        terms: Mapping[Pair, Float[Tensor, " b"]],
        batch: MotionBatch,
        by_timestep: Float[Tensor, " b"] | float = 1.0,
    ) -> Float[Tensor, " b"]:
        """The weighted sum for each clip of a batch; by_timestep: extra weight of 3D -> 3D.

        Other errors do not vanish with the noise: those across domains, and those of hidden 2D values.
        """
        total = torch.zeros_like(next(iter(terms.values())))
        for pair, loss in terms.items():
            weight = torch.where(batch.wild, self.wild.get(pair, 0.0), self.mocap.get(pair, 0.0))
            if self.by_quality and pair != ("2d", "2d"):
                weight = weight * batch.quality
            if pair == ("3d", "3d"):
                weight = weight * by_timestep
            total = total + weight * loss
        return total


# Clips with measured 3D motion, and those with measured 2D motion only.
KINDS = ("mocap", "wild")


@dataclass(frozen=True)
class StepLosses:
    """The loss that is minimised, and the logged numbers of a batch, in the order of `names`."""

    loss: Float[Tensor, ""]
    names: tuple[str, ...]
    values: Float[Tensor, " n"]

    @classmethod
    def of(
        cls,
        terms: Mapping[Pair, Float[Tensor, " b"]],
        objective: Objective,
        batch: MotionBatch,
        by_timestep: Float[Tensor, " b"] | float = 1.0,
    ) -> StepLosses:
        """Means over the clips, and the parts of each kind of clip in the loss and in the batch.

        by_timestep: as in `Objective.clip_losses`; applied to the loss, not to the numbers of the directions.
        """
        clips = objective.clip_losses(terms, batch, by_timestep)
        wild = batch.wild.to(clips.dtype)
        numbers = {
            "loss": clips,
            **{f"{source}->{target}": loss for (source, target), loss in terms.items()},
            "mocap": clips * (1 - wild),
            "wild": clips * wild,
            "share": wild,
        }
        return cls(clips.mean(), tuple(numbers), torch.stack([n.detach().mean() for n in numbers.values()]))

    def plus(self, others: Mapping[str, Float[Tensor, ""]], weight: float) -> StepLosses:
        """With the weighted sum of other losses in the loss and in its number; their own numbers come last."""
        more = weight * torch.stack([*others.values()]).sum()
        values = self.values.clone()
        values[self.names.index("loss")] += more.detach()
        own = torch.stack([x.detach() for x in others.values()])
        return StepLosses(self.loss + more, (*self.names, *others), torch.cat([values, own]))

    def means(self, values: Sequence[float]) -> dict[str, float]:
        """`values`, perhaps averaged over devices, by name; kinds of clips are listed only in mixed batches."""
        found = dict(zip(self.names, values, strict=True))
        share = found.pop("share")
        for kind, part in zip(KINDS, (1 - share, share), strict=True):
            mean = found.pop(kind)
            if 0 < share < 1:
                found[kind] = mean / part
        return found


def film_losses(
    network: Network, model: CrossDiffModel, film: FilmedBatch, velocity_weight: float = 0.0
) -> dict[str, Float[Tensor, ""]]:
    """Losses of lifting simulated film as labels are made: at timestep 0, without text.

    Huber's, because turned bodies move as no training clip does: normalised values are clipped where they are far off.
    Positions, and the root's, weigh more than velocities, of which a label keeps none. velocity_weight: as in
    `cross_losses`.
    """
    count = len(film.motion)
    inputs: dict[Domain, Tensor] = {"2d": normalize_observed(model, film.observed) * film.seen}
    t = torch.zeros(count, dtype=torch.long, device=film.motion.device)
    made = network(inputs, t, model.null_text(count), None, targets=DOMAINS)
    motion = model.normalize("3d", film.motion).clamp(-_MOST, _MOST)
    flat = model.normalize("2d", film.flat).clamp(-_MOST, _MOST)
    lifted, again = made["2d", "3d"].float(), made["2d", "2d"].float()
    layout = model.config.layout("3d")
    weights = motion.new_ones(layout.dim)
    for part, weight in _FILM_WEIGHTS.items():
        weights[layout.groups[part]] = weight
    lift = (huber_loss(lifted, motion, reduction="none") * weights).mean() / weights.mean()
    if velocity_weight:
        lift = lift + velocity_weight * huber_loss(lifted.diff(dim=1), motion.diff(dim=1))
    fill = (huber_loss(again, flat, reduction="none") * film.trusted).sum() / film.trusted.sum().clamp_min(1)
    return {"film 2d->3d": lift, "film 2d->2d": fill}


def timestep_weights(t: Int[Tensor, " b"], weighting: Weighting) -> Float[Tensor, " b"]:
    """Weights of the squared error of x_start at each timestep.

    `min-snr`: the signal-to-noise ratio, clipped to 5 (Hang et al. 2023, equation 8).
    `v`: 1 / (1 - alpha-bar), which makes it the error of v (Salimans and Ho 2022, section 4).
    """
    kept = kept_signal(t)
    if weighting == "min-snr":
        return (kept / (1 - kept)).clamp_max(_MOST_SNR)
    return 1 / (1 - kept) if weighting == "v" else torch.ones_like(kept)


def cross_losses(
    network: Network,
    model: CrossDiffModel,
    batch: MotionBatch,
    text: Float[Tensor, "b *l e"],
    pairs: Collection[Pair],
    draws: Draws,
    velocity_weight: float = 0.0,
    anchor: Network | None = None,
    by_picture: bool = False,
) -> dict[Pair, Float[Tensor, " b"]]:
    """The loss of each clip in each requested (source, target).

    network: `model.network`, perhaps wrapped.
    anchor: a network whose predictions from the same inputs are the targets of the clips that are not wild.
    by_picture: judge the 3D motion of wild clips by the clip's picture instead of the pseudo label; `picture_losses`.
    velocity_weight: weight of the error of differences between frames, for 3D motion (Tevet et al. 2023, equation 5,
    here of all features).

    Both domains of a clip share a timestep and have separate noise. Hidden 2D values are replaced by their mean. A clip
    without 3D has loss 0 in every direction from or to 3D, so these weigh less in a batch with such clips.
    """
    sources = sorted({s for s, _ in pairs})
    targets = sorted({t for _, t in pairs})
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
    held = {} if anchor is None else _predictions(anchor, noisy, t, text, frames, targets, ~batch.wild)
    losses = {}
    for source, target in pairs:
        trusted = batch.trusted[target]
        if source == "3d":
            trusted = trusted & batch.has_3d[:, None, None]
        made, wanted = predicted[source, target].float(), clean[target]
        if held:
            wanted = wanted.index_put((~batch.wild,), held[source, target].float())
        losses[source, target] = masked_mse(made, wanted, trusted)
        if velocity_weight and target == "3d":
            both = trusted[:, 1:] & trusted[:, :-1]
            steps = masked_mse(made.diff(dim=1), wanted.diff(dim=1), both)
            losses[source, target] = losses[source, target] + velocity_weight * steps
        if by_picture and target == "3d" and batch.wild.any():
            seen = picture_losses(model, made, batch, velocity_weight)
            losses[source, target] = torch.where(batch.wild, seen, losses[source, target])
    return losses


@torch.no_grad()
def _predictions(
    network: Network,
    noisy: Mapping[Domain, Tensor],
    t: Tensor,
    text: Tensor,
    frames: Tensor | None,
    targets: Sequence[Domain],
    rows: Bool[Tensor, " b"],
) -> dict[Pair, Tensor]:
    """What a network predicts for some rows of a batch; empty for no rows."""
    if not rows.any():
        return {}
    some = {domain: x[rows] for domain, x in noisy.items()}
    return network(some, t[rows], text[rows], None if frames is None else frames[rows], targets=targets)
