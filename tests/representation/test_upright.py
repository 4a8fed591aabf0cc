"""The direction upwards in a picture."""

from __future__ import annotations

import math

import pytest
import torch
from synthetic import person

from crossdiff.representation.projection import rotate_y
from crossdiff.representation.upright import up_direction
from crossdiff.skeleton import HUMANML3D

FRAMES = 60
NO_PATH = torch.zeros(FRAMES, 2)
_UPPER = ("spine", "neck", "collar", "head", "shoulder", "elbow", "wrist")


def standing(bow: float = 0.0) -> torch.Tensor:
    """Someone who stands still and, with a straight back, bows by this angle in degrees, the hips going back."""
    joints = person(1, swing=0.0, turn=0.0)[0]
    joints = joints - joints[:1]
    upper = [j for j, name in enumerate(HUMANML3D.joint_names) if any(n in name for n in _UPPER)]
    c, s = math.cos(math.radians(bow)), math.sin(math.radians(bow))
    joints[upper] = joints[upper] @ torch.tensor([[1.0, 0, 0], [0, c, s], [0, -s, c]])
    feet = [HUMANML3D.index(f"{side}_{name}") for side in "lr" for name in ("knee", "ankle", "foot")]
    # So much before the hips that the body does not fall.
    joints[feet, 2] += 0.45 * math.sin(math.radians(bow)) * 0.55
    return joints.expand(FRAMES, -1, -1).clone()


def camera(pitch: float, roll: float) -> torch.Tensor:
    """Matrix, for row vectors, from upright axes to those of a camera that looks down and rolls."""
    x, z = math.radians(pitch), math.radians(roll)
    about_x = torch.tensor([[1, 0, 0], [0, math.cos(x), math.sin(x)], [0, -math.sin(x), math.cos(x)]])
    about_z = torch.tensor([[math.cos(z), math.sin(z), 0], [-math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return about_x @ about_z


def degrees_between(a: torch.Tensor, b: torch.Tensor) -> float:
    return math.degrees(math.acos(float((a @ b).clamp(-1, 1))))


@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (30.0, 0.0), (20.0, 25.0), (-15.0, -20.0)])
@pytest.mark.parametrize("bow", [0.0, 50.0])
def test_balance_gives_the_tilt_that_lifting_took_for_leaning(pitch, roll, bow):
    turn = camera(pitch, roll)
    filmed = rotate_y(standing(bow), 40.0) @ turn
    lifted = torch.tensor([0.0, 1.0, 0.0])  # as if the camera were level
    up = up_direction(filmed, NO_PATH, lifted, HUMANML3D)
    assert degrees_between(up, turn[1]) < 6.0


def test_the_foot_that_stands_bears_the_body():
    body = standing()
    right, left = ([HUMANML3D.index(f"{side}_{name}") for name in ("knee", "ankle", "foot")] for side in "rl")
    body[:, right, 0] += 0.12  # below the middle of the body
    swung = 0.6 + 0.3 * torch.sin(2 * math.pi * torch.arange(FRAMES) / (2 * HUMANML3D.fps))
    body[:, left, 0] += swung[:, None]
    up = torch.tensor([0.0, 1.0, 0.0])
    # If both feet counted alike, it would be more than 15 degrees.
    assert degrees_between(up_direction(body, NO_PATH, up, HUMANML3D), up) < 8.0
    # The same picture of a left foot that stands, while root and right foot pass by.
    passing = torch.stack([-swung, torch.zeros(FRAMES)], -1)
    assert degrees_between(up_direction(body, passing, up, HUMANML3D), up) > 15.0


def test_without_balance_the_lifted_body_counts():
    """A body that turns over, whose centre of mass is above its feet and below them in turn."""
    angle = torch.linspace(0, 2 * math.pi, FRAMES)
    turns = torch.stack([torch.stack([a.cos(), a.sin(), -a.sin(), a.cos()]) for a in angle]).reshape(-1, 2, 2)
    body = standing()
    body[..., :2] = torch.einsum("tjc,tcd->tjd", body[..., :2], turns)
    lifted = camera(20.0, 0.0)[1]
    up = up_direction(body, NO_PATH, lifted, HUMANML3D)
    assert degrees_between(up, lifted) < 1.0


def test_a_fast_body_is_not_balanced():
    """The same leaning body counts while it stands, and hardly while the root passes at 3 m/s."""
    lifted = camera(20.0, 0.0)[1]
    passing = torch.stack([3.0 * torch.arange(FRAMES) / HUMANML3D.fps, torch.zeros(FRAMES)], -1)
    upright = torch.tensor([0.0, 1.0, 0.0])
    assert degrees_between(up_direction(standing(), NO_PATH, lifted, HUMANML3D), upright) < 6.0
    assert degrees_between(up_direction(standing(), passing, lifted, HUMANML3D), lifted) < 3.0
