"""The body nearest to given joints."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import person
from torch.testing import assert_close

from crossdiff.representation.body_fit import fit_body
from crossdiff.representation.features3d import bone_lengths, retarget
from crossdiff.skeleton import HUMANML3D

BODY = torch.tensor(HUMANML3D.body)
JOINTS = retarget(person(20, seed=1), BODY)


def misfit(joints: torch.Tensor, target: torch.Tensor) -> float:
    return float((joints - target).square().sum())


def test_a_motion_of_the_body_stays_as_it_is():
    assert_close(fit_body(JOINTS, BODY), JOINTS, atol=1e-4, rtol=0)


@given(st.integers(0, 50), st.floats(0.01, 0.15))
def test_bones_have_their_lengths_and_joints_are_nearer_than_by_their_directions(seed, size):
    noisy = JOINTS + size * torch.randn(JOINTS.shape, generator=torch.Generator().manual_seed(seed))
    fitted = fit_body(noisy, BODY, depth_weight=1.0)
    assert_close(bone_lengths(fitted), BODY.expand(20, 22), atol=1e-5, rtol=0)
    by_directions = retarget(noisy, BODY)
    by_directions += (noisy - by_directions).mean(1, keepdim=True)
    assert misfit(fitted, noisy) < misfit(by_directions, noisy)


def test_depth_makes_up_for_bones_that_are_too_short():
    flat = JOINTS * torch.tensor([1.0, 1.0, 0.6])
    fitted, by_directions = fit_body(flat, BODY, depth_weight=0.3), retarget(flat, BODY)
    across = [(x - x[:, :1] - JOINTS + JOINTS[:, :1])[..., :2].abs().mean() for x in (fitted, by_directions)]
    assert across[0] < 0.7 * across[1]
    deep = [(x - x[:, :1])[..., 2].abs().mean() for x in (flat, fitted, JOINTS)]
    assert 1.05 * deep[0] < deep[1] < deep[2]
