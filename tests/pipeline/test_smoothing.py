"""Smoothing: takes noise away, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.pipeline.motion2d.smoothing import SmoothConfig, smooth

FILTERS = ("one_euro", "savgol", "butterworth", "gaussian")
every_filter = pytest.mark.parametrize("name", FILTERS)
rates = st.sampled_from([12.5, 20.0])


def _smooth(x, name, fps=20.0):
    return smooth(x, fps, SmoothConfig(smooth=name))


@every_filter
@given(fps=rates, start=st.floats(-3, 3), speed=st.floats(-3, 3), frames=st.integers(41, 120))
def test_rest_and_steady_motion_stay_as_they_are(name, fps, start, speed, frames):
    x = start + speed * np.arange(frames)[:, None, None] / fps * np.array([1.0, -0.5])
    np.testing.assert_allclose(_smooth(x, name, fps), x, atol=2e-3)


@every_filter
@given(fps=rates, width=st.floats(0.05, 0.4), height=st.floats(-1, 1))
def test_a_symmetric_bump_stays_symmetric(name, fps, width, height):
    seconds = (np.arange(81) - 40) / fps
    bump = height * np.exp(-0.5 * (seconds / width) ** 2)[:, None, None] * np.ones(2)
    smoothed = _smooth(bump, name, fps)
    np.testing.assert_allclose(smoothed, smoothed[::-1], atol=1e-6)
    assert np.abs(smoothed[:, 0, 0]).argmax() == 40 or abs(height) < 1e-3


@every_filter
@given(x=st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=(50, 3, 2))))
def test_time_has_no_direction(name, x):
    np.testing.assert_allclose(_smooth(x[::-1], name), _smooth(x, name)[::-1], atol=1e-6)


@every_filter
def test_noise_goes_away_without_lag(name):
    seconds = np.arange(100) / 20
    clean = np.stack([np.sin(3 * seconds), np.cos(3 * seconds)], axis=-1)[:, None]
    noisy = clean + np.random.default_rng(0).normal(scale=0.05, size=clean.shape)
    smoothed = _smooth(noisy, name)
    assert np.abs(smoothed - clean).mean() < 0.8 * np.abs(noisy - clean).mean()
    shifts = [np.abs(smoothed[5 + k : 95 + k] - clean[5:95]).mean() for k in range(-3, 4)]
    assert int(np.argmin(shifts)) == 3


@every_filter
@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_short_motions_keep_their_shape(name, frames):
    joints = np.random.default_rng(0).normal(size=(frames, 22, 2))
    assert _smooth(joints, name).shape == joints.shape


def test_none_does_nothing():
    joints = np.random.default_rng(0).normal(size=(50, 22, 2))
    np.testing.assert_array_equal(_smooth(joints, "none"), joints)
