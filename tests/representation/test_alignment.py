"""Points turned, scaled and shifted to others."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from crossdiff.representation.alignment import aligned, turns
from crossdiff.representation.projection import rotate_y


def test_a_similar_set_of_points_is_brought_onto_its_target():
    points = torch.randn(5, 9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target = 1.7 * rotate_y(points, 40.0)[..., [1, 2, 0]] + torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    assert_close(aligned(points, target), target)


def test_a_mirror_image_is_not_reflected():
    points = torch.randn(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mirrored = points * torch.tensor([-1.0, 1.0, 1.0])
    turn, agreement = turns(points.T @ mirrored)
    assert_close(turn @ turn.T, torch.eye(3, dtype=torch.float64))
    assert torch.linalg.det(turn) > 0.99
    assert_close(agreement, ((points @ turn) * mirrored).sum())
    assert (aligned(points, mirrored) - mirrored).norm() > 1
