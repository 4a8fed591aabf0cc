"""Windows of long motions: every frame is covered, shares add up, and none is longer than the network takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.diffusion.windows import make_windows
from crossdiff.errors import InputError


@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=6),
    most=st.integers(2, 60),
    blend=st.integers(0, 20),
)
def test_shares_add_up_within_the_networks_length(lengths, most, blend):
    total = np.zeros(sum(lengths))
    for window in make_windows(lengths, most, blend):
        assert 0 <= window.start < window.stop <= sum(lengths) and len(window.weight) <= most
        total[window.start : window.stop] += window.weight
    np.testing.assert_allclose(total, 1)


def test_each_part_has_its_own_frames_and_shares_those_at_its_ends():
    first, second = make_windows([80, 60], 196, 20)
    assert (first.part, first.start, first.stop) == (0, 0, 90)
    assert (second.part, second.start, second.stop) == (1, 70, 140)
    assert (first.weight[:70] == 1).all() and (second.weight[20:] == 1).all()
    assert (np.diff(first.weight[70:]) < 0).all()


def test_a_motion_that_fits_is_one_window():
    (window,) = make_windows([196], 196, 20)
    assert (window.start, window.stop) == (0, 196) and (window.weight == 1).all()


def test_a_long_part_is_split_evenly():
    windows = make_windows([400], 196, 20)
    assert [window.part for window in windows] == [0, 0, 0]
    assert max(len(w.weight) for w in windows) - min(len(w.weight) for w in windows) <= 20


def test_a_short_part_sees_more_of_its_neighbours():
    short = make_windows([60, 6, 60], 196, 4)[1]
    assert len(short.weight) == 40
    assert (short.weight > 0).sum() == 10


def test_a_part_without_frames_is_refused():
    with pytest.raises(InputError, match="at least one frame"):
        make_windows([20, 0], 196, 20)
