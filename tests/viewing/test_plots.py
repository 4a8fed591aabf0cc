"""Plots of a prepared dataset, and the measurements behind them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from synthetic import person

from crossdiff.data.tally import SPEED_EDGES, Distributions, joint_speeds
from crossdiff.files import load_npz
from crossdiff.skeleton import HUMANML3D, KIT
from crossdiff.viewing.plots import plot_dataset, relative_speeds


def test_a_joint_is_as_fast_in_a_view_as_its_motion_across_it():
    joints = np.zeros((3, 22, 3), dtype=np.float32)
    joints[:, 20] = np.arange(3)[:, None] * np.array([0.03, 0.04, 0.12])
    speeds = joint_speeds(joints, HUMANML3D)
    for name, metres in (("3d", 0.13), ("front", 0.05), ("left", np.hypot(0.12, 0.04))):
        np.testing.assert_allclose(speeds[name][:, 20], metres * HUMANML3D.fps, rtol=1e-5)
        assert not speeds[name][:, :20].any()


def test_relative_speeds_have_norm_one_in_every_frame_that_moves():
    joints = person(20).numpy()
    joints[10] = joints[9]
    for speeds in relative_speeds(joints, HUMANML3D).values():
        norms = np.linalg.norm(speeds, axis=1)
        np.testing.assert_allclose(np.delete(norms, 9), 1, atol=1e-5)
        assert norms[9] == 0


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
def test_histograms_count_every_joint_of_every_training_frame(tmp_path, skeleton):
    clip = person(30, skeleton).numpy() / skeleton.metres_per_unit
    clip[5:] += 50 / skeleton.metres_per_unit
    seen = Distributions(skeleton)
    for split in ("train", "train", "val"):
        seen.add(split, clip.astype(np.float32))
    seen.save(tmp_path / "d.npz")
    z = load_npz(tmp_path / "d.npz")
    assert (z["counts"].sum(axis=2) == 2 * 29).all()
    assert (z["counts"][..., -1] == 2).all()  # the leap, faster than the last edge
    fast = joint_speeds(clip, skeleton)["3d"][:, 3]
    expected, _ = np.histogram(np.minimum(fast, SPEED_EDGES[-1] - 1e-6), SPEED_EDGES)
    np.testing.assert_array_equal(z["counts"][0, 3], 2 * expected)
    np.testing.assert_allclose(z["seconds_train"], [29 / skeleton.fps] * 2)


def test_the_plots_are_pictures_with_something_on_them(prepared, tmp_path):
    import shutil

    copy = shutil.copytree(prepared, tmp_path / "data")
    lengths, velocities = plot_dataset(copy)
    assert {p.name for p in (lengths, velocities)} == {"lengths.png", "velocities.png"}
    for path, size in ((lengths, (396, 792)), (velocities, (704, 1210))):
        picture = cv2.imread(str(path))
        assert picture.shape[:2] == size
        assert (picture < 200).any(axis=2).mean() > 0.01
