"""From embeddings of a replication to the numbers of the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.evaluation.config import ProtocolConfig
from crossdiff.evaluation.metrics import diversity, frechet_distance, mm_distance, multimodality, r_precision

FID_OF_PART = {"all": "FID", "upper": "FID-U", "lower": "FID-L"}


def matching_scores(
    text: Float[ndarray, "n e"], motion: Float[ndarray, "n e"], batches: Sequence[ndarray]
) -> dict[str, float]:
    """R-precision top 1 to 3 and MM-Dist, means over batches of rows."""
    ranks = np.mean([r_precision(text[b], motion[b]) for b in batches], axis=0)
    named = {f"R-precision top {k}": float(value) for k, value in enumerate(ranks, start=1)}
    return named | {"MM-Dist": float(np.mean([mm_distance(text[b], motion[b]) for b in batches]))}


def set_scores(
    motion: Float[ndarray, "n e"],
    reference: Float[ndarray, "m e"],
    parts: dict[str, tuple[ndarray, ndarray]],
    modes: Float[ndarray, "t s e"] | None,
    cfg: ProtocolConfig,
    seed: tuple[int, ...],
) -> dict[str, float]:
    """Scores of whole sets. reference: real motions; parts: motions and reference of the upper and lower body."""
    rng = np.random.RandomState(np.random.SeedSequence(seed).generate_state(1)[0])
    found = {"FID": frechet_distance(motion, reference)}
    found |= {FID_OF_PART[part]: frechet_distance(*pair) for part, pair in parts.items()}
    found["Diversity"] = diversity(motion, cfg.diversity_pairs, rng)
    if modes is not None:
        found["MultiModality"] = multimodality(modes, cfg.multimodality_pairs, rng)
    return found
