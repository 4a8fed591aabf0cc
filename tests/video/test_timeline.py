"""Times of frames from the time stamps of a file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.video.timeline import frame_rate, frame_times, increases, pauses


def test_time_stamps_of_an_even_rate_give_that_rate():
    stamps = 7 + np.round(np.arange(90) / 29.97, 3)
    np.testing.assert_array_equal(frame_times(stamps, 29.97), 7 + np.arange(90) / 29.97)


def test_uneven_time_stamps_are_believed():
    stamps = 3 + np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 60))
    np.testing.assert_allclose(frame_times(stamps, 20.0), stamps)


def test_time_stamps_that_do_not_increase_are_not_believed():
    stamps = np.arange(20) / 10
    stamps[7], stamps[8], stamps[-1] = 0.65, 0.65, 0.0
    expected = np.arange(20) / 10
    expected[[7, 8, -1]] = 0.65, 0.775, 1.8 + 1 / 25
    np.testing.assert_allclose(frame_times(stamps, 25.0), expected)
    np.testing.assert_array_equal(frame_times(np.zeros(20), 25.0), np.arange(20) / 25)


def test_unknown_time_stamps_lie_between_their_neighbours():
    stamps = np.arange(30) / 5 + np.linspace(0, 0.2, 30)
    known = stamps.copy()
    known[[0, 10, 29]] = np.nan
    expected = stamps.copy()
    expected[10] = (stamps[9] + stamps[11]) / 2
    expected[0], expected[29] = stamps[1] - 0.2, stamps[28] + 0.2
    np.testing.assert_allclose(frame_times(known, 5.0), expected)
    np.testing.assert_array_equal(frame_times(np.full(4, np.nan), 5.0), np.arange(4) / 5)


def test_whether_time_stamps_increase():
    assert increases(np.arange(20.0)) and not increases(np.array([1, 3, 2, 4, 6, 5.0]))
    assert not increases(np.zeros(0)) and not increases(np.full(3, np.nan))


@given(st.lists(st.floats(-10, 1000, allow_nan=False), min_size=1, max_size=50), st.sampled_from([1.0, 25.0, 59.94]))
def test_times_always_increase(stamps, fps):
    assert (np.diff(frame_times(np.array(stamps), fps)) > 0).all()


@pytest.mark.parametrize(
    ("steps", "after"),
    [([0.04] * 20 + [3.0] + [0.04] * 20, [21]), ([0.04] * 20 + [0.9] + [0.04] * 20, []), ([5.0] * 10, []),
     ([0.2] * 10 + [1.9] + [0.2] * 10, []), ([0.04] * 5 + [2.0] + [0.04] * 5 + [9.0], [6, 12])],
)  # fmt: skip
def test_pauses_are_much_longer_than_the_interval_between_frames(steps, after):
    times = np.concatenate([[0], np.cumsum(steps)])
    assert pauses(times).tolist() == after
    usual = np.delete(steps, [frame - 1 for frame in after])
    assert frame_rate(times, after, default=1.0) == pytest.approx(1 / usual.mean())


def test_one_frame_has_the_default_rate_and_no_pause():
    assert frame_rate(np.zeros(1), [], default=24.0) == 24.0 and pauses(np.zeros(1)).tolist() == []
