"""Filters along the frames of a clip."""

from __future__ import annotations

import numpy as np
import pytest

from crossdiff.representation.filters import smoothest_curve


@pytest.mark.parametrize("count", [3, 4, 5, 30])
def test_the_smoothest_curve_solves_whittakers_equations(count):
    rng = np.random.default_rng(count)
    wanted, weight = rng.normal(size=(count, 2)), rng.uniform(0.01, 10, count)
    differences = np.diff(np.eye(count), n=2, axis=0)
    expected = np.linalg.solve(np.diag(weight) + differences.T @ differences, weight[:, None] * wanted)
    np.testing.assert_allclose(smoothest_curve(wanted, weight), expected, atol=1e-9)


def test_a_straight_line_stays_as_it_is_and_too_few_frames_too():
    line = np.linspace(0, 3, 20)[:, None]
    np.testing.assert_allclose(smoothest_curve(line, np.full(20, 0.01)), line, atol=1e-9)
    np.testing.assert_array_equal(smoothest_curve(line[:2], np.ones(2)), line[:2])
