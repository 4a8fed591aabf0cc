"""The random choices of an evaluation's replications, and whether a split has enough clips for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.evaluation.config import MIN_BATCH, EvaluationConfig
from crossdiff.evaluation.real import RealClips


@dataclass(frozen=True)
class ReplicationPlan:
    """The random choices of a replication.

    order: clips in batches of the classic protocol, without the last, partial one.
    choices: index of the caption of every clip.
    distinct: batches without shared captions.
    modes: clips whose captions are sampled repeatedly.
    """

    order: ndarray
    choices: ndarray
    distinct: list[ndarray]
    modes: ndarray


def make_plan(real: RealClips, cfg: EvaluationConfig, replication: int) -> ReplicationPlan:
    p = cfg.protocol
    choices, order, rng = _draw(real, cfg, replication, p.batch_size)
    distinct = real.shared.distinct_batches(order, p.batch_size, rng)
    count = p.multimodality_texts if replication < p.multimodality_replications else 0
    return ReplicationPlan(order, choices, distinct, rng.choice(order, count, replace=False))


def evaluated_clips(clips: int, batch_size: int) -> int:
    """Number of clips in whole batches."""
    return clips // batch_size * batch_size


class ProtocolError(InputError):
    """A protocol that needs more clips than the split has; `settings`: values that it allows, by their names."""

    def __init__(self, problem: str, settings: Mapping[str, int]) -> None:
        super().__init__(problem, settings)
        self.problem, self.settings = problem, settings

    def __str__(self) -> str:
        smaller = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{self.problem}; use a larger split, or set {smaller}"


def check_protocol(real: RealClips, cfg: EvaluationConfig) -> None:
    """Raise ProtocolError, with all settings that are too large, before hours of sampling."""
    p, name = cfg.protocol, f"{real.data.folder}: {len(real)} clips in {cfg.split}.txt"
    batch_size = _largest_batch(real, cfg)
    if batch_size < MIN_BATCH:
        raise InputError(f"{name}, need {MIN_BATCH} without a common caption; use a larger split")
    clips = evaluated_clips(len(real), batch_size)
    limits = {"batch_size": batch_size, "diversity_pairs": clips}
    if p.multimodality_replications:
        limits |= {"multimodality_texts": clips, "multimodality_pairs": p.multimodality_samples}
    too_large = {key: most for key, most in limits.items() if getattr(p, key) > most}
    if too_large:
        needs = ", ".join(f"protocol.{key}={getattr(p, key)} (at most {most})" for key, most in too_large.items())
        raise ProtocolError(f"{name}, too few for {needs}", {f"protocol.{k}": v for k, v in too_large.items()})


def _largest_batch(real: RealClips, cfg: EvaluationConfig) -> int:
    """The largest batch, at most the protocol's, that every replication fills with clips without a common caption."""
    sizes = range(min(cfg.protocol.batch_size, len(real)), 0, -1)
    replications = range(cfg.protocol.replications)
    return next((n for n in sizes if all(_first_batch(real, cfg, r, n) == n for r in replications)), 0)


def _first_batch(real: RealClips, cfg: EvaluationConfig, replication: int, size: int) -> int:
    _, order, rng = _draw(real, cfg, replication, size)
    return len(real.shared.first_batch(rng.permutation(order), size))


def _draw(
    real: RealClips, cfg: EvaluationConfig, replication: int, batch_size: int
) -> tuple[ndarray, ndarray, np.random.Generator]:
    """Captions, clips in whole batches, and the generator of what is drawn next."""
    rng = np.random.default_rng((cfg.seed, replication))
    choices = real.draw_captions(rng)
    return choices, rng.permutation(len(real))[: evaluated_clips(len(real), batch_size)], rng
