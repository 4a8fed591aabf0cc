"""The field's metrics on embeddings: pure functions, float64, randomness from a given generator.

T2M: Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022, section 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float
from numpy import ndarray
from numpy.random import RandomState

from crossdiff.errors import InputError
from crossdiff.evaluation.config import ProtocolConfig

FID_OF_PART = {"all": "FID", "upper": "FID-U", "lower": "FID-L"}


def frechet_distance(a: Float[ndarray, "n d"], b: Float[ndarray, "m d"]) -> float:
    """Distance between the Gaussians of two sets of activations (Heusel et al., NeurIPS 2017, equation 6).

    |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)). The trace of the last term is the sum of the singular
    values of C_a^(1/2) C_b^(1/2), which are real and non-negative even for singular covariances. It is
    symmetric, and 0 for equal sets up to rounding.
    """
    a, b = _matrix("activations", a), _matrix("activations", b)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"activations are {a.shape[1]} and {b.shape[1]} wide; use one evaluator for both")
    if min(len(a), len(b)) < 2:
        raise InputError(f"{len(a)} and {len(b)} activations, need 2 each for a covariance; evaluate more motions")
    root_a, trace_a = _root_of_covariance(a)
    root_b, trace_b = _root_of_covariance(b)
    shared = scipy.linalg.svdvals(root_a @ root_b).sum()
    distance = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + trace_a + trace_b - 2 * shared
    return max(float(distance), 0.0)


def r_precision(text: Float[ndarray, "n d"], motion: Float[ndarray, "n d"], top: int = 3) -> Float[ndarray, " top"]:
    """Fraction of texts whose own motion is among the 1, 2, ... `top` nearest of one batch (T2M, R-precision).

    Row i of `motion` belongs to row i of `text`; distances are Euclidean. Ties count as
    errors, so that an evaluator that embeds all motions alike scores 0.
    """
    text, motion = _pair(text, motion)
    if not 1 <= top <= len(text):
        raise InputError(f"top {top} of a batch of {len(text)}; choose 1 to {len(text)}, or larger batches")
    distance = np.linalg.norm(text[:, None] - motion[None], axis=-1)
    own = np.diagonal(distance)
    rank = (distance <= own[:, None]).sum(axis=1)
    return np.array([float((rank <= k).mean()) for k in range(1, top + 1)])


def mm_distance(text: Float[ndarray, "n d"], motion: Float[ndarray, "n d"]) -> float:
    """Mean Euclidean distance of each text to its own motion (T2M, MultiModal distance)."""
    text, motion = _pair(text, motion)
    return float(np.linalg.norm(text - motion, axis=-1).mean())


def diversity(activations: Float[ndarray, "n d"], pairs: int, rng: RandomState) -> float:
    """Mean distance within `pairs` pairs of motions (T2M, Diversity).

    Both members are drawn without replacement, independently; a motion can be paired with itself, as in T2M.
    """
    x = _matrix("activations", activations)
    first, second = _draw_pairs(len(x), pairs, "motions", rng)
    return float(np.linalg.norm(x[first] - x[second], axis=-1).mean())


def multimodality(activations: Float[ndarray, "texts samples d"], pairs: int, rng: RandomState) -> float:
    """Mean distance within `pairs` pairs of motions of the same text (T2M, MultiModality).

    The pairs are drawn as in `diversity`, once for all texts.
    """
    x = np.asarray(activations, dtype=np.float64)
    if x.ndim != 3 or not x.size or not np.isfinite(x).all():
        raise InputError(f"activations: expected finite (texts, samples, d), got {_got(x)}; check the evaluator")
    first, second = _draw_pairs(x.shape[1], pairs, "samples per text", rng)
    return float(np.linalg.norm(x[:, first] - x[:, second], axis=-1).mean())


def _root_of_covariance(x: Float[ndarray, "n d"]) -> tuple[Float[ndarray, "d d"], float]:
    """Symmetric square root of the covariance (divisor n - 1), and the covariance's trace."""
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    values, vectors = np.linalg.eigh(covariance)
    values = np.clip(values, 0, None)  # rounding makes zeros negative
    return (vectors * np.sqrt(values)) @ vectors.T, float(np.trace(covariance))


def _draw_pairs(count: int, pairs: int, what: str, rng: RandomState) -> tuple[ndarray, ndarray]:
    if not 1 <= pairs <= count:
        raise InputError(f"{pairs} pairs of {count} {what}; choose 1 to {count} pairs, or make more motions")
    return rng.choice(count, pairs, replace=False), rng.choice(count, pairs, replace=False)


def _pair(text: ndarray, motion: ndarray) -> tuple[Float[ndarray, "n d"], Float[ndarray, "n d"]]:
    text, motion = _matrix("text embeddings", text), _matrix("motion embeddings", motion)
    if text.shape != motion.shape:
        raise InputError(f"text embeddings {text.shape}, motion embeddings {motion.shape}: need one motion per text")
    return text, motion


def _matrix(what: str, x: ndarray) -> Float[ndarray, "n d"]:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise InputError(f"{what}: expected finite (n, d), got {_got(x)}; check motions and evaluator")
    return x


def _got(x: ndarray) -> str:
    return (
        f"{x.shape}" if np.isfinite(x).all() else f"{x.shape} with {int((~np.isfinite(x)).sum())} that are not finite"
    )


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
    scores = {"FID": frechet_distance(motion, reference)}
    scores |= {FID_OF_PART[part]: frechet_distance(*pair) for part, pair in parts.items()}
    scores["Diversity"] = diversity(motion, cfg.diversity_pairs, rng)
    if modes is not None:
        scores["MultiModality"] = multimodality(modes, cfg.multimodality_pairs, rng)
    return scores
