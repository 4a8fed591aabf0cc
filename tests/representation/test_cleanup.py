"""Rebuilding predicted features into one consistent motion, and the filter it uses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from synthetic import person
from torch.testing import assert_close

from crossdiff.representation import cleanup
from crossdiff.representation.features3d import (
    bone_lengths,
    features_to_joints,
    features_to_joints_and_next,
    joints_to_features_3d,
    retarget,
)
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.representation.layouts import layout_3d
from crossdiff.skeleton import HUMANML3D, KIT, Skeleton

BODY = torch.tensor(HUMANML3D.body)


def rebuild(features: torch.Tensor, sigma: float, skeleton: Skeleton = HUMANML3D) -> torch.Tensor:
    return cleanup.rebuild(features_to_joints_and_next(features, skeleton), sigma, skeleton)


def clean(frames: int = 60, seed: int = 0) -> torch.Tensor:
    return joints_to_features_3d(retarget(person(frames, seed=seed), BODY))


def test_a_clean_motion_stays_as_it_is_without_smoothing():
    features = clean()
    again = rebuild(features, sigma=0.0)
    contacts = layout_3d().contacts
    assert_close(again[:, : contacts.start], features[:, : contacts.start], atol=1e-3, rtol=0)
    assert (again[:, contacts] == features[:, contacts]).float().mean() > 0.98


def test_a_clean_motion_moves_little_under_smoothing():
    features = clean()
    before, after = (features_to_joints(f) for f in (features, rebuild(features, sigma=1.5)))
    moved = ((after - after[:, :1]) - (before - before[:, :1])).norm(dim=-1)
    assert moved.mean() < 0.02
    assert (after[:, 0] - before[:, 0]).norm(dim=-1).max() < 0.1  # the origin is that of the smoothed first frame


@st.composite
def predictions(draw) -> torch.Tensor:
    """What a teacher may predict: a motion with noise in every value, so that none agrees with another."""
    frames, seed = draw(st.integers(2, 70)), draw(st.integers(0, 1000))
    motion = person(frames, seed=seed, swing=draw(st.floats(0, 0.5)), turn=draw(st.floats(-2, 2)))
    noise = torch.randn(frames - 1, 263, generator=torch.Generator().manual_seed(seed))
    return joints_to_features_3d(retarget(motion, BODY)) + draw(st.floats(0, 0.08)) * noise


sigmas = st.floats(0.3, 4) | st.just(0.0)


@given(predictions(), sigmas)
def test_a_label_is_one_body_with_clear_contacts_and_real_rotations(features, sigma):
    label = rebuild(features, sigma)
    assert label.shape == features.shape
    assert label.isfinite().all()
    lengths = bone_lengths(features_to_joints_and_next(label))
    assert_close(lengths, BODY.expand_as(lengths), atol=1e-4, rtol=0)
    assert set(label[:, layout_3d().contacts].unique().tolist()) <= {0.0, 1.0}
    x, y = label[:, layout_3d().rotations].unflatten(-1, (21, 2, 3)).unbind(-2)
    for column in (x, y):
        assert_close(column.norm(dim=-1), torch.ones(column.shape[:-1]), atol=1e-5, rtol=0)
    assert (x * y).sum(-1).abs().max() < 1e-5


@given(predictions(), sigmas)
def test_positions_velocities_rotations_and_contacts_of_a_label_agree(features, sigma):
    label = rebuild(features, sigma)
    joints = features_to_joints_and_next(label)
    again = joints_to_features_3d(joints, parity=False)
    contacts = layout_3d().contacts
    assert_close(again[:, : contacts.start], label[:, : contacts.start], atol=1e-4, rtol=0)
    # At the threshold itself, rounding may decide.
    step = joints[:, list(HUMANML3D.feet)].diff(dim=0).square().sum(-1)
    clear = (step - HUMANML3D.contact_threshold).abs() > 1e-5
    assert torch.equal(again[:, contacts][clear], label[:, contacts][clear])


@given(st.integers(0, 1000), sigmas)
def test_smoothing_shifts_nothing_in_time(seed, sigma):
    features = joints_to_features_3d(retarget(person(90, seed=seed), BODY))
    before, after = (features_to_joints(f) for f in (features, rebuild(features, sigma)))
    before, after = (j[..., 1] - j[:, :1, 1] for j in (before, after))  # heights about the root: no turn, no path
    before, after = (h.diff(dim=0) for h in (before, after))
    inner = slice(12, -12)

    def correlation(lag: int) -> float:
        return float(torch.corrcoef(torch.stack([before[inner].ravel(), after.roll(-lag, 0)[inner].ravel()]))[0, 1])

    assert max(range(-8, 9), key=correlation) == 0


def test_smoothing_takes_out_jitter():
    noisy = clean() + 0.02 * torch.randn(59, 263, generator=torch.Generator().manual_seed(0))

    def jerk(features: torch.Tensor) -> torch.Tensor:
        return features_to_joints(features).diff(n=3, dim=0).norm(dim=-1).mean()

    assert jerk(rebuild(noisy, 1.5)) < 0.3 * jerk(rebuild(noisy, 0.0))


def test_a_skeleton_without_a_body_keeps_its_bones():
    features = joints_to_features_3d(person(20, KIT), KIT)
    again = rebuild(features, 0.0, KIT)
    assert_close(
        bone_lengths(features_to_joints(again, KIT), KIT)[0], bone_lengths(person(1, KIT), KIT)[0], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(("frames", "sigma"), [(50, 2.0), (3, 20.0), (10, 0.05), (1, 1.0)])
def test_the_filter_is_scipys(frames, sigma):
    x = np.random.default_rng(0).normal(size=(2, frames, 3)).astype(np.float32)
    expected = gaussian_filter1d(x.astype(np.float64), sigma, axis=1, mode="nearest")
    assert_close(gaussian_in_time(torch.from_numpy(x), sigma).numpy(), expected.astype(np.float32), atol=1e-5, rtol=0)
