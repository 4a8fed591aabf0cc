"""The action classifier of studies."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.studies.held_out.actions import ActionClassifier


def clusters(rng: np.random.Generator, counts: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    centres = 8 * np.random.default_rng(0).normal(size=(len(counts), 6))
    parts = [centre + rng.normal(size=(n, 6)) for centre, n in zip(centres, counts, strict=True)]
    return np.concatenate(parts), [f"action {k}" for k, n in enumerate(counts) for _ in range(n)]


@given(st.integers(0, 100))
def test_apart_actions_are_told_apart_however_few_there_are_of_one(seed):
    rng = np.random.default_rng(seed)
    classifier = ActionClassifier.fit(*clusters(rng, (50, 50, 4)))
    assert classifier.accuracy(*clusters(rng, (20, 20, 20))) > 0.95


def test_accuracy_is_the_share_that_is_told_right():
    rng = np.random.default_rng(0)
    embeddings, labels = clusters(rng, (30, 30, 30))
    classifier = ActionClassifier.fit(embeddings, labels)
    swapped = ["action 1" if n < 45 else label for n, label in enumerate(labels)]
    assert classifier.predict(embeddings) == labels
    assert abs(classifier.accuracy(embeddings, swapped) - 60 / 90) < 1e-9
