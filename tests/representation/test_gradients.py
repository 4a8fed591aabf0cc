"""The features can be differentiated, also where a bone has no length or nothing moves."""

from __future__ import annotations

import pytest
import torch
from synthetic import person

from crossdiff.representation import features2d, features3d
from crossdiff.representation.projection import project_orthographic
from crossdiff.skeleton import HUMANML3D, KIT, Skeleton


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
@pytest.mark.parametrize("case", ["moving", "zero-length bone", "still"])
def test_gradients_are_finite_and_reach_every_joint(skeleton: Skeleton, case: str):
    joints = person(30, skeleton).float().clone()
    if case == "zero-length bone":
        joints[:, 5] = joints[:, skeleton.parents[5]]
    if case == "still":
        joints = joints[:1].expand(30, -1, -1).clone()
    joints.requires_grad_(True)
    flat, _ = features2d.joints_to_features_2d(project_orthographic(joints, 30.0), skeleton)
    solid = features3d.joints_to_features_3d(joints, skeleton)
    back = features3d.features_to_joints(solid, skeleton)
    (flat.square().sum() + solid.square().sum() + back.square().sum()).backward()
    assert joints.grad is not None and torch.isfinite(joints.grad).all()
    assert (joints.grad.abs().amax((0, 2)) > 0).all()
