"""Runs of True in masks over frames."""

import numpy as np
import pytest

from crossdiff.masks import true_runs


@pytest.mark.parametrize(
    ("mask", "runs"),
    [("", []), ("000", []), ("111", [(0, 3)]), ("0110", [(1, 3)]), ("10011", [(0, 1), (3, 5)])],
)
def test_runs_end_before_the_first_frame_that_is_not_in_them(mask, runs):
    assert true_runs(np.array([frame == "1" for frame in mask], dtype=bool)) == runs
