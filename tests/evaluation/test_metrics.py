"""Metrics against the reference arrays, and their behaviour where numbers are few or equal."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from crossdiff.errors import InputError
from crossdiff.evaluation.metrics import diversity, frechet_distance, mm_distance, multimodality, r_precision
from crossdiff.files import load_npz


@pytest.fixture(scope="module")
def golden(shared) -> dict[str, np.ndarray]:
    return load_npz(shared / "golden" / "metrics.npz")


@pytest.mark.shared
def test_text_metrics_match_the_reference(golden):
    text, motion = golden["text_embedding"], golden["motion_embedding"]
    assert_allclose(r_precision(text, motion), golden["r_precision_top3"], atol=1e-6)
    assert_allclose(mm_distance(text, motion), golden["mm_dist"], atol=1e-6)


@pytest.mark.shared
def test_motion_metrics_match_the_reference(golden):
    a, b, many = golden["activations_a"], golden["activations_b"], golden["mm_activations"]
    assert_allclose(frechet_distance(a, b), golden["fid"], atol=1e-4)
    assert_allclose(diversity(a, 300, np.random.RandomState(0)), golden["diversity_seed0_300"], atol=1e-6)
    assert_allclose(multimodality(many, 10, np.random.RandomState(0)), golden["multimodality_seed0_10"], atol=1e-6)


def test_frechet_distance_of_gaussians_on_a_line():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 1))
    # (shift)^2 + (std_b - std_a)^2
    expected = (1.5 + x.mean()) ** 2 + x.var(ddof=1)
    assert_allclose(frechet_distance(x, 2 * x + 1.5), expected, rtol=1e-9)


def test_frechet_distance_is_zero_for_equal_sets_and_symmetric():
    a, b = np.random.default_rng(1).normal(size=(2, 50, 8))
    assert frechet_distance(a, a) < 1e-9
    assert_allclose(frechet_distance(a, b), frechet_distance(b, a), rtol=1e-9)


@pytest.mark.parametrize("count", [2, 5])
def test_frechet_distance_bears_fewer_samples_than_dimensions(count):
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(count, 64)), np.ones((count, 64))
    assert_allclose(frechet_distance(a, b), ((a.mean(0) - 1) ** 2).sum() + a.var(0, ddof=1).sum(), rtol=1e-6)
    assert frechet_distance(a, a) < 1e-6


def test_r_precision_counts_the_rank_of_the_true_motion():
    text = np.arange(4.0)[:, None]
    assert_allclose(r_precision(text, text), [1, 1, 1])
    # Text 0 finds its motion second, text 1 too; the other two find theirs first.
    assert_allclose(r_precision(text, np.array([[1.1], [0.1], [2], [3]]), top=2), [0.5, 1.0])


def test_an_evaluator_that_tells_nothing_apart_scores_zero():
    assert_allclose(r_precision(np.zeros((8, 3)), np.ones((8, 3))), 0)


def test_mm_distance_and_spread_of_known_points():
    assert mm_distance(np.zeros((3, 2)), np.full((3, 2), [3.0, 4.0])) == 5
    same = np.ones((6, 2))
    assert diversity(same, 3, np.random.RandomState(0)) == 0
    # Of each text all samples are equal, though texts differ.
    per_text = np.arange(4.0)[:, None, None] * np.ones((4, 5, 2))
    assert multimodality(per_text, 5, np.random.RandomState(0)) == 0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: frechet_distance(np.ones((1, 2)), np.ones((5, 2))), "1 and 5 activations, need 2"),
        (lambda: frechet_distance(np.ones((5, 2)), np.ones((5, 3))), "2 and 3 wide"),
        (lambda: frechet_distance(np.full((5, 2), np.nan), np.ones((5, 2))), "10 that are not finite"),
        (lambda: r_precision(np.ones((2, 2)), np.ones((2, 2))), "top 3 of a batch of 2"),
        (lambda: mm_distance(np.ones((2, 2)), np.ones((3, 2))), "one motion per text"),
        (lambda: diversity(np.ones((5, 2)), 6, np.random.RandomState(0)), "6 pairs of 5 motions"),
        (lambda: multimodality(np.ones((5, 3, 2)), 4, np.random.RandomState(0)), "4 pairs of 3 samples"),
        (lambda: multimodality(np.ones((5, 3)), 4, np.random.RandomState(0)), r"expected finite \(texts"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
