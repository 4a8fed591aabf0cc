"""Lifted motion that is moved to where it was seen."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import person
from torch.testing import assert_close

from crossdiff.representation.cleanup import rebuild, stand_on_floor
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.projection import project_orthographic, rotate_y
from crossdiff.representation.view_fit import fit_to_view, follow, trust_in_picture
from crossdiff.skeleton import HUMANML3D

JOINTS = person(40, seed=3)
ALL = torch.ones(40, 22, dtype=torch.bool)
KNOWN = torch.ones(40, dtype=torch.bool)


def seen_from(yaw: float) -> torch.Tensor:
    return project_orthographic(JOINTS, yaw)


def wrong(seed: int = 0, size: float = 0.05) -> torch.Tensor:
    """The motion with a lasting error of its own for every joint but the root."""
    offset = size * torch.randn(22, 3, generator=torch.Generator().manual_seed(seed))
    offset[0] = 0
    return JOINTS + offset


def in_picture(joints: torch.Tensor, yaw: float) -> torch.Tensor:
    return project_orthographic(joints - joints[:, :1], yaw)


def distance(joints: torch.Tensor) -> float:
    """Mean distance of all joints but the root from where they are, in metres."""
    return float((joints - JOINTS)[:, 1:].norm(dim=-1).mean())


@given(yaw=st.floats(0, 360), turn=st.floats(-30, 30))
def test_a_right_motion_stays_as_it_is(yaw, turn):
    turned = rotate_y(JOINTS, turn)
    fitted = fit_to_view(turned, seen_from(yaw), ALL, path_known=KNOWN, skeleton=HUMANML3D)
    assert_close(fitted, turned, atol=2e-2, rtol=0)


@given(yaw=st.floats(0, 360), seed=st.integers(0, 100))
def test_joints_go_where_they_were_seen_and_keep_their_depth(yaw, seed):
    lifted = wrong(seed)
    fitted = fit_to_view(lifted, seen_from(yaw), ALL, path_known=KNOWN, skeleton=HUMANML3D)
    error = [(in_picture(x, yaw) - in_picture(JOINTS, yaw)).norm(dim=-1).mean() for x in (lifted, fitted)]
    assert error[1] < 0.6 * error[0]
    assert distance(fitted) < 1.2 * distance(lifted)  # one error in a hundred points along the view, and stays


def test_joints_come_nearer_to_where_they_are_on_average():
    ratios = []
    for seed in range(8):
        for yaw in (0.0, 94.0, 235.0):
            fitted = fit_to_view(wrong(seed), seen_from(yaw), ALL, path_known=KNOWN, skeleton=HUMANML3D)
            ratios.append(distance(fitted) / distance(wrong(seed)))
    assert sum(ratios) / len(ratios) < 0.75


def test_the_path_is_followed_where_it_is_known():
    slower = JOINTS - JOINTS[:, :1] * torch.tensor([0.5, 0.0, 0.5])
    yaw = 90.0
    shown = seen_from(yaw)
    known, unknown = (fit_to_view(slower, shown, ALL, path, HUMANML3D) for path in (KNOWN, ~KNOWN))
    way = (shown[-1, 0] - shown[0, 0])[0]
    assert_close(project_orthographic(known, yaw)[-1, 0, 0] - project_orthographic(known, yaw)[0, 0, 0], way)
    assert_close(unknown[:, 0], slower[:, 0])


def test_joints_that_were_not_seen_change_nothing_and_follow_their_parents():
    hand, elbow = HUMANML3D.index("l_wrist"), HUMANML3D.index("l_elbow")
    valid = ALL.clone()
    valid[:, hand] = False
    shown = seen_from(0.0)
    elsewhere = shown.clone()
    elsewhere[:, hand] = 1e3
    lifted = wrong()
    fitted, other = (fit_to_view(lifted, s, valid, KNOWN, HUMANML3D) for s in (shown, elsewhere))
    assert_close(fitted, other)
    moved = fitted - fitted[:, :1] - (lifted - lifted[:, :1])
    assert_close(moved[:, hand], moved[:, elbow])


def test_a_clip_that_shows_nothing_is_left_alone():
    assert torch.equal(fit_to_view(JOINTS, seen_from(0.0), ~ALL, KNOWN, HUMANML3D), JOINTS)


def test_one_frame_with_a_foot_too_low_does_not_leave_the_body_in_the_air():
    sunk = JOINTS.clone()
    sunk[20] -= torch.tensor([0.0, 0.3, 0.0])
    level = stand_on_floor(sunk)
    assert level[..., 1].amin() > sunk[..., 1].amin() + 0.25
    assert_close(level.diff(dim=1), sunk.diff(dim=1))
    plain, mended = (features_to_joints(rebuild(sunk, 0.0, HUMANML3D, placed=on)) for on in (False, True))
    true = features_to_joints(rebuild(JOINTS, 0.0, HUMANML3D))
    errors = [(x - true)[:, 0, 1].abs().median() for x in (plain, mended)]
    assert errors[1] < 0.3 * errors[0]


def test_where_the_path_is_unknown_the_steps_are_those_lifted():
    known = torch.tensor([True, True, False, True])
    path = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0], [10.0, 9.0]])
    lifted = torch.tensor([[5.0, 5.0], [5.0, 6.0], [5.0, 7.0], [5.0, 8.0]])
    assert_close(follow(path, lifted, known), torch.tensor([[5.0, 5.0], [6.0, 5.0], [6.0, 6.0], [7.0, 6.0]]))


def test_the_picture_is_trusted_where_lifting_is_unsure_and_the_joints_are_steady():
    rng = torch.Generator().manual_seed(0)
    shown = seen_from(40.0)
    noisy = shown + 0.01 * torch.randn(shown.shape, generator=rng)
    unsure, sure = (torch.full((40, 22), size) for size in (0.08, 0.008))
    steady = JOINTS[:1, :, :2].expand(40, -1, -1)  # nothing moves, so nothing jitters
    assert trust_in_picture(sure, steady, ALL) == 1
    assert trust_in_picture(sure, noisy, ALL) < 0.1 < 0.3 < trust_in_picture(unsure, noisy, ALL) < 0.9
    assert trust_in_picture(sure, noisy, ~ALL) == 1  # there is nothing to judge by


def test_joints_go_a_share_of_the_way():
    lifted, shown = wrong(), seen_from(0.0)
    moved = [fit_to_view(lifted, shown, ALL, ~KNOWN, HUMANML3D, share) - lifted for share in (0.0, 0.25, 1.0)]
    assert_close(moved[0], torch.zeros_like(lifted), atol=1e-5, rtol=0)
    assert_close(moved[1], 0.25 * moved[2], atol=1e-5, rtol=0)
