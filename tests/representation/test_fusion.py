"""Lifted joints and those that a detector places in space."""

from __future__ import annotations

import math

import pytest
import torch
from synthetic import person
from torch.testing import assert_close

from crossdiff.representation import fusion
from crossdiff.representation.alignment import aligned
from crossdiff.representation.features3d import bone_lengths, retarget
from crossdiff.representation.fusion import fuse
from crossdiff.representation.projection import rotate_y
from crossdiff.skeleton import HUMANML3D

BODY = torch.tensor(HUMANML3D.body)
FRAMES = 60
TRUE = retarget(person(FRAMES, seed=2), BODY)
ALL = torch.ones(FRAMES, 22, dtype=torch.bool)
KNOWN = torch.ones(FRAMES, dtype=torch.bool)


def filmed(degrees: float, yaw: float = 30.0) -> torch.Tensor:
    """The true joints along the axes of a camera that looks down by this angle."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return rotate_y(TRUE, yaw) @ torch.tensor([[1.0, 0, 0], [0, c, s], [0, -s, c]])


def fused(lifted: torch.Tensor, placed: torch.Tensor, world: torch.Tensor, **changes: torch.Tensor) -> torch.Tensor:
    given = {"visible": ALL, "path_known": KNOWN} | changes
    return fuse(lifted, placed[..., :2], given["visible"], world, given["path_known"], 0.0, HUMANML3D)


def about_root(joints: torch.Tensor) -> torch.Tensor:
    return joints - joints[:, :1]


def pa_error(joints: torch.Tensor) -> float:
    return float((aligned(joints, TRUE) - TRUE).norm(dim=-1).mean())


@pytest.fixture
def unbalanced(monkeypatch):
    """The tilt is that of the lifted body, since `person` swings its limbs without keeping its balance."""
    monkeypatch.setattr(fusion, "up_direction", lambda body, path, lifted, skeleton: lifted)


@pytest.mark.parametrize("tilt", [0.0, 20.0, 35.0])
def test_exact_estimates_give_the_motion_upright_whatever_the_cameras_tilt(tilt, unbalanced):
    placed = filmed(tilt)
    joints = fused(TRUE, placed, about_root(placed))
    assert_close(bone_lengths(joints), BODY.expand(FRAMES, 22), atol=1e-5, rtol=0)
    assert_close(about_root(joints), about_root(rotate_y(TRUE, 30.0)), atol=0.02, rtol=0)
    # The path in the picture is that of the tilted camera; with the lifted one it gives the path in space.
    path = joints[:, 0] - joints[:1, 0]
    assert_close(path, rotate_y(TRUE, 30.0)[:, 0] - rotate_y(TRUE, 30.0)[:1, 0], atol=0.02, rtol=0)


def test_independent_errors_shrink():
    rng = torch.Generator().manual_seed(0)
    deep = torch.tensor([0.02, 0.02, 0.12])
    placed = filmed(15.0)
    lifted = rotate_y(rotate_y(TRUE, 30.0) + deep * torch.randn(1, 22, 3, generator=rng), -30.0)
    world = about_root(placed + deep * torch.randn(1, 22, 3, generator=rng))
    both = pa_error(fused(lifted, placed, world))
    assert both < 0.85 * min(pa_error(lifted), pa_error(world))


def test_frames_without_the_detectors_joints_are_lifted_alone(unbalanced):
    placed = filmed(20.0)
    world = about_root(placed)
    world[20:30] = torch.nan
    joints = fused(TRUE, placed, world)
    assert_close(about_root(joints), about_root(rotate_y(TRUE, 30.0)), atol=0.03, rtol=0)


def test_hidden_joints_are_not_read_from_the_picture():
    placed = filmed(10.0)
    visible = ALL.clone()
    visible[10:40, [18, 20]] = False
    wrong = placed.clone()
    wrong[10:40, [18, 20], :2] = 9.0
    joints = fused(TRUE, wrong, about_root(placed), visible=visible)
    assert_close(joints, fused(TRUE, placed, about_root(placed)), atol=0.02, rtol=0)


def test_an_unknown_path_is_the_lifted_one():
    placed = filmed(0.0)
    moving = placed + torch.tensor([1.0, 0.0, 0.0]) * torch.arange(FRAMES)[:, None, None]
    joints = fused(TRUE, moving, about_root(placed), path_known=~KNOWN)
    path = rotate_y(TRUE, 30.0)[:, 0]
    assert_close(joints[:, 0] - joints[:1, 0], path - path[:1], atol=1e-3, rtol=0)
