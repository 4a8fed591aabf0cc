"""Mirrored features are the features of the mirrored motion."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import person
from torch.testing import assert_close

from crossdiff.representation import features2d, features3d
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.representation.mirroring import mirror_features, mirror_mask
from crossdiff.representation.projection import project_orthographic
from crossdiff.skeleton import HUMANML3D, KIT, Skeleton


def mirrored(joints: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    flipped = joints[..., list(skeleton.mirror), :].clone()
    flipped[..., 0] *= -1
    return flipped


@given(seed=st.integers(0, 1000), turn=st.floats(-2, 2))
def test_of_3d_motion(seed, turn):
    joints = person(12, HUMANML3D, seed, turn=turn)
    straight, turned = (
        features3d.joints_to_features_3d(j, HUMANML3D, parity=False) for j in (joints, mirrored(joints, HUMANML3D))
    )
    assert_close(mirror_features(straight, layout_3d(), HUMANML3D), turned, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
@pytest.mark.parametrize("layout", ["paper", "official"])
@given(seed=st.integers(0, 1000), yaw=st.floats(0, 360))
def test_of_2d_motion_with_its_mask(skeleton, layout, seed, yaw):
    joints = project_orthographic(person(9, skeleton, seed), yaw)
    valid = torch.rand(joints.shape[:-1], generator=torch.Generator().manual_seed(seed)) < 0.8
    valid_turned = valid[:, list(skeleton.mirror)]
    straight, seen = features2d.joints_to_features_2d(joints, skeleton, layout, valid)
    turned, seen_turned = features2d.joints_to_features_2d(mirrored(joints, skeleton), skeleton, layout, valid_turned)
    named = layout_2d(skeleton, layout)
    assert torch.equal(mirror_mask(seen, named, skeleton), seen_turned)
    again = mirror_features(straight, named, skeleton)
    assert_close(again[seen_turned], turned[seen_turned], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layout", [layout_3d(), layout_2d(), layout_3d(KIT)], ids=["3d", "2d", "kit"])
def test_twice_is_nothing(layout):
    skeleton = KIT if layout.num_joints == KIT.num_joints else HUMANML3D
    features = torch.randn(3, layout.dim)
    assert torch.equal(mirror_features(mirror_features(features, layout, skeleton), layout, skeleton), features)
