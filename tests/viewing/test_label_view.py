"""A label beside its video: four panels, in step, and cameras that stand where the fit says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from synthetic import person

from crossdiff.representation.projection import project_orthographic
from crossdiff.types import Motion2D, Motion3D
from crossdiff.viewing.label import axes_of_yaw, label_frames


def test_four_panels_for_every_frame_of_the_label():
    solid = Motion3D(person(5).numpy(), 20.0)
    flat = Motion2D(project_orthographic(person(6), 30.0).numpy(), np.ones((6, 22), bool), 20.0)
    shades = [np.full((50, 50, 3), 20 * n, np.uint8) for n in range(6)]
    frames = list(label_frames(iter(shades), flat, solid, 30.0, size=100))
    assert len(frames) == 5
    assert len({frame.shape for frame in frames}) == 1
    for n, frame in enumerate(frames):
        # The video's panel is the first of the upper row, and shows the frame of the same number.
        assert (frame[80, :100] == 20 * n).all()
    for columns in (slice(0, 100), slice(102, 202)):
        figure = frames[0][-100:, columns].astype(int)
        assert (np.ptp(figure, axis=-1) > 60).any()  # blue and orange limbs


def test_a_video_that_ends_early_ends_the_pictures():
    solid = Motion3D(person(5).numpy(), 20.0)
    flat = Motion2D(person(5)[..., :2].numpy(), np.ones((5, 22), bool), 20.0)
    assert len(list(label_frames([np.zeros((9, 9, 3), np.uint8)] * 2, flat, solid, 0.0, size=64))) == 2


@pytest.mark.parametrize("yaw", [0.0, 65.0, 200.0])
def test_the_camera_sees_what_the_projection_sees(yaw):
    points = person(1)[0]
    right, _, _ = axes_of_yaw(yaw)
    seen = project_orthographic(points, torch.tensor(yaw)).numpy()
    assert_allclose(points.numpy() @ right, seen[:, 0], atol=1e-5)
