"""Fitting the view from which a 3D motion looks like a 2D one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import person
from torch.testing import assert_close

from crossdiff.representation.projection import project_orthographic
from crossdiff.representation.reprojection import BODY_HEIGHT, fit_yaw

FRAMES, JOINTS = 24, 22
yaws = st.floats(0, 359.99)
shifts = st.tuples(*[st.floats(-5, 5)] * 3)


def all_valid() -> torch.Tensor:
    return torch.ones(FRAMES, JOINTS, dtype=torch.bool)


def apart(one: torch.Tensor, other: float) -> float:
    """Degrees between two yaws."""
    return abs((float(one) - other + 180) % 360 - 180)


@given(yaw=yaws, seed=st.integers(0, 20), swing=st.floats(0, 0.5))
def test_the_yaw_of_a_projection_is_found_again(yaw, seed, swing):
    solid = person(FRAMES, seed=seed, swing=swing)
    found, error = fit_yaw(solid, project_orthographic(solid, yaw), all_valid())
    assert apart(found, yaw) < 0.5
    assert error < 1e-5
    assert 0 <= found < 360


@given(yaw=yaws, shift=shifts)
def test_where_either_motion_goes_does_not_matter(yaw, shift):
    solid = person(FRAMES)
    flat = project_orthographic(solid, yaw) + 0.1 * torch.randn(
        FRAMES, JOINTS, 2, generator=torch.Generator().manual_seed(0)
    )
    path = torch.linspace(0, 1, FRAMES)[:, None, None] * torch.tensor(shift)
    one = fit_yaw(solid, flat, all_valid())
    other = fit_yaw(solid + path, flat - path[..., :2], all_valid())
    assert apart(one[0], float(other[0])) < 0.01
    assert_close(one[1], other[1], atol=1e-4, rtol=0)


@given(yaw=yaws, hidden=st.lists(st.integers(1, JOINTS - 1), min_size=1, max_size=12, unique=True))
def test_joints_that_are_not_valid_do_not_count(yaw, hidden):
    solid = person(FRAMES)
    flat = project_orthographic(solid, yaw)
    valid = all_valid()
    valid[:, hidden] = False
    valid[5, 0] = False
    flat[:, hidden] = float("nan")
    flat[5] += torch.rand(JOINTS, 2)
    found, error = fit_yaw(solid, flat, valid)
    assert apart(found, yaw) < 0.5
    assert error < 1e-5


@given(yaw=yaws, seed=st.integers(0, 10))
def test_no_other_yaw_fits_better(yaw, seed):
    solid = person(FRAMES, seed=seed)
    flat = project_orthographic(solid, yaw) + 0.3 * torch.randn(
        FRAMES, JOINTS, 2, generator=torch.Generator().manual_seed(seed)
    )
    found, _ = fit_yaw(solid, flat, all_valid())

    def squares(degrees: torch.Tensor) -> torch.Tensor:
        seen = project_orthographic(solid - solid[:, :1], degrees[:, None, None])
        return (seen - (flat - flat[:, :1])).square().sum((1, 2, 3))

    tried = squares(torch.arange(0.0, 360.0))
    assert squares(found[None])[0] <= tried.min() * (1 + 1e-5)


def test_the_error_is_a_distance_in_body_heights():
    solid = person(FRAMES)
    flat = project_orthographic(solid, 70.0)
    flat[:, 1:, 1] += 0.17
    found, error = fit_yaw(solid, flat, all_valid())
    assert apart(found, 70.0) < 0.01
    assert float(error) == pytest.approx(0.17 / BODY_HEIGHT, rel=1e-4)


def test_clips_of_a_batch_are_fitted_each_by_itself():
    solid = torch.stack([person(FRAMES, seed=n) for n in range(4)])
    angles = torch.tensor([0.0, 93.0, 181.0, 344.0])
    flat = project_orthographic(solid, angles[:, None, None])
    found, error = fit_yaw(solid, flat, all_valid().expand(4, -1, -1))
    assert found.shape == error.shape == (4,)
    assert all(apart(f, float(a)) < 0.01 for f, a in zip(found, angles, strict=True))


def test_nothing_valid_has_no_error():
    solid = person(FRAMES)
    assert fit_yaw(solid, solid[..., :2], ~all_valid())[1].isnan()
