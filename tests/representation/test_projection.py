"""Cameras: which side is where, and that opposite views mirror each other."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import person
from torch.testing import assert_close

from crossdiff.errors import ConfigError
from crossdiff.representation.projection import VIEWS, project_orthographic, project_perspective
from crossdiff.skeleton import HUMANML3D

cameras = pytest.mark.parametrize("project", [project_orthographic, project_perspective])
STANDING = person(1, swing=0.0, turn=0.0)[0]  # faces +z, left side at +x
L_HIP, R_HIP, L_FOOT, L_ANKLE = (HUMANML3D.index(n) for n in ("l_hip", "r_hip", "l_foot", "l_ankle"))


@cameras
def test_each_view_shows_the_side_it_is_named_after(project):
    front, back, left, right = (project(STANDING, v) for v in ("front", "back", "left", "right"))
    assert front[L_HIP, 0] > front[R_HIP, 0]  # as in a photograph: the person's left is on our right
    assert back[L_HIP, 0] < back[R_HIP, 0]
    # Seen from its left, a person looks to the left of the picture; from its right, to the right.
    assert left[L_FOOT, 0] < left[L_ANKLE, 0]
    assert right[L_FOOT, 0] > right[L_ANKLE, 0]
    head, pelvis = HUMANML3D.index("head"), 0
    assert all(view[head, 1] > view[pelvis, 1] for view in (front, back, left, right))


def test_from_the_top_ahead_is_down_and_left_is_right():
    top = project_orthographic(STANDING, "top")
    assert top[L_FOOT, 1] < top[L_ANKLE, 1]
    assert top[L_HIP, 0] > top[R_HIP, 0]
    assert project_perspective(STANDING, "top")[L_FOOT, 1] < project_perspective(STANDING, "top")[L_ANKLE, 1]


@given(yaw=st.floats(-360, 360), seed=st.integers(0, 100))
def test_opposite_orthographic_views_mirror_x(yaw, seed):
    joints = person(3, seed=seed)
    one, other = project_orthographic(joints, yaw), project_orthographic(joints, yaw + 180)
    assert_close(one * torch.tensor([-1.0, 1.0]), other, atol=1e-5, rtol=0)


def test_left_and_right_mirror_each_other_too():
    assert_close(
        project_orthographic(STANDING, "left") * torch.tensor([-1.0, 1.0]),
        project_orthographic(STANDING, "right"),
        atol=1e-6,
        rtol=0,
    )


def test_the_perspective_camera_sees_about_053_units_per_metre_and_near_things_larger():
    bar = torch.tensor([[-0.5, 1.0, 0.0], [0.5, 1.0, 0.0]])
    at_origin = (project_perspective(bar, "front")[1] - project_perspective(bar, "front")[0])[0]
    assert 0.52 < at_origin < 0.55
    nearer = project_perspective(bar + torch.tensor([0.0, 0.0, 1.0]), "front")
    assert (nearer[1] - nearer[0])[0] > at_origin
    assert_close(1 / (at_origin * math.tan(math.radians(5))), torch.tensor(1 / math.tan(math.radians(5)) + 10))


def test_many_yaws_are_projected_at_once():
    joints = person(4)
    yaws = torch.tensor([0.0, 45.0, 180.0])
    views = project_orthographic(joints, yaws[:, None, None])
    assert views.shape == (3, 4, 22, 2)
    for view, yaw in zip(views, yaws.tolist(), strict=True):
        assert_close(view, project_orthographic(joints, yaw))


@cameras
def test_an_unknown_view_is_an_error_that_lists_the_views(project):
    with pytest.raises(ConfigError, match=r"front.*top.*'below'"):
        project(STANDING, "below")
    for view in VIEWS:
        assert project(STANDING, view).shape == (22, 2)
