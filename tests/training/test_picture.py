"""Predicted 3D motion judged by the clip's own picture."""

from __future__ import annotations

import pytest
import torch
from synthetic import person, small_model

from crossdiff.data.batch import ClipWindow, collate
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.features3d import canonicalise, joints_to_features_3d
from crossdiff.representation.projection import project_orthographic
from crossdiff.training.picture import picture_losses

YAW = 90.0  # from the side: the depth is x
FRAMES = 24


def batch_of(joints, hidden=()):
    """A wild clip whose label is the motion itself, and whose picture is taken from the side."""
    features = joints_to_features_3d(joints, parity=False)
    valid = torch.ones(joints.shape[:2], dtype=torch.bool)
    valid[:, list(hidden)] = False
    flat, mask = joints_to_features_2d(project_orthographic(joints, YAW), layout="paper", valid=valid)
    everywhere = torch.ones_like(features, dtype=torch.bool)
    clip = ClipWindow(
        {"3d": features.numpy(), "2d": flat.float().numpy()},
        {"3d": everywhere.numpy(), "2d": mask.numpy()},
        mask.numpy(),
        "",
        wild=True,
    )
    return collate([clip])


def loss(joints, shown, hidden=()):
    model = small_model()
    made = model.normalize("3d", joints_to_features_3d(joints, parity=False))[None]
    return float(picture_losses(model, made.float(), batch_of(shown, hidden), velocity_weight=1.0))


@pytest.fixture
def joints():
    return canonicalise(person(FRAMES + 1, turn=0.0))


def moved(joints, x=0.0, y=0.0, joint=21):
    """One wrist elsewhere, by something that keeps the heading."""
    other = joints.clone()
    other[:, joint] += torch.tensor([x, y, 0.0])
    return other


def test_the_motion_of_the_picture_has_no_loss(joints):
    assert loss(joints, joints) == pytest.approx(0, abs=1e-4)


def test_depth_costs_nothing_and_what_the_picture_shows_does(joints):
    deep, high = loss(moved(joints, x=0.2), joints), loss(moved(joints, y=0.2), joints)
    assert deep < 0.05 * high


def test_hidden_joints_cost_nothing(joints):
    assert loss(moved(joints, y=0.2), joints, hidden=[21]) < 0.05 * loss(moved(joints, y=0.2), joints)


def test_rotations_and_velocities_are_held_to_the_joints(joints):
    model, batch = small_model(), batch_of(joints)
    made = model.normalize("3d", joints_to_features_3d(joints, parity=False))[None].float()
    layout = model.config.layout("3d")
    for group in (layout.rotations, layout.velocities):
        other = made.clone()
        other[..., group] += 1.0
        assert float(picture_losses(model, other, batch)) == pytest.approx(
            (group.stop - group.start) / layout.dim, rel=1e-2
        )


def test_gradients_reach_the_prediction(joints):
    model, batch = small_model(), batch_of(joints)
    made = torch.randn(1, FRAMES, 263, generator=torch.Generator().manual_seed(0)).requires_grad_()
    picture_losses(model, made, batch, 3.0).sum().backward()
    assert torch.isfinite(made.grad).all() and made.grad.abs().sum() > 0
