"""What flows through the toolkit is checked when it is made, and survives the disk."""

from __future__ import annotations

import numpy as np
import pytest

from crossdiff.errors import ClipError, CrossDiffError, InputError, PartialFailure
from crossdiff.skeleton import KIT
from crossdiff.types import Keypoints2D, Motion2D, Motion3D


def keypoints(**changes) -> Keypoints2D:
    rng = np.random.default_rng(0)
    values = {"xy": rng.random((5, 33, 2)), "score": rng.random((5, 33)), "frame": np.arange(5), "fps": 29.97}
    return Keypoints2D(**values | {"size": (640, 480), "keypoint_set": "mediapipe33"} | changes)


def test_keypoints_survive_the_disk(tmp_path):
    before = keypoints()
    before.save(tmp_path / "k.npz")
    after = Keypoints2D.load(tmp_path / "k.npz")
    np.testing.assert_allclose(after.xy, before.xy, atol=1e-6)
    assert (after.fps, after.size, after.keypoint_set) == (before.fps, before.size, before.keypoint_set)
    assert after.frame.tolist() == [0, 1, 2, 3, 4]
    assert after.world.shape == (5, 0, 3)


def test_keypoints_in_space_survive_the_disk_and_old_files_have_none(tmp_path):
    world = np.random.default_rng(1).random((5, 33, 3))
    world[2] = np.nan
    keypoints(world=world).save(tmp_path / "k.npz")
    np.testing.assert_allclose(Keypoints2D.load(tmp_path / "k.npz").world, world, atol=1e-6)
    with np.load(tmp_path / "k.npz") as z:
        np.savez(tmp_path / "old.npz", **{name: z[name] for name in z.files if name != "world"})
    assert Keypoints2D.load(tmp_path / "old.npz").world.shape == (5, 0, 3)
    with pytest.raises(ClipError, match=r"keypoints in space: expected shape \(5, 33, 3\), got \(5, 17, 3\)"):
        keypoints(world=world[:, :17])


def test_2d_motion_survives_the_disk(tmp_path):
    seen, filled = np.eye(4, 21, dtype=bool), np.eye(4, 21, 1, dtype=bool)
    before = Motion2D(np.random.default_rng(0).random((4, 21, 2)), seen, 12.5, KIT, filled, "compensated", 3.25)
    before.save(tmp_path / "m.npz")
    after = Motion2D.load(tmp_path / "m.npz", KIT)
    np.testing.assert_allclose(after.joints, before.joints, atol=1e-6)
    np.testing.assert_array_equal(after.valid, before.valid)
    np.testing.assert_array_equal(after.filled, before.filled)
    assert (after.fps, after.camera, after.start) == (12.5, "compensated", 3.25)
    with pytest.raises(ClipError, match="22"):
        Motion2D.load(tmp_path / "m.npz")
    with pytest.raises(InputError, match="lacks xy"):
        Keypoints2D.load(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: keypoints(xy=np.zeros((5, 33, 3))), r"keypoints: expected shape \(any, any, 2\), got \(5, 33, 3\)"),
        (lambda: keypoints(score=np.zeros((5, 32))), r"scores: expected shape \(5, 33\), got \(5, 32\)"),
        (lambda: keypoints(frame=np.arange(4)), r"frame numbers: expected shape \(5\), got \(4,\)"),
        (lambda: keypoints(fps=0.0), "frame rate must be positive, got 0.0"),
        (lambda: keypoints(fps=float("nan")), "frame rate must be positive, got nan"),
        (lambda: Motion2D(np.zeros((4, 21, 2)), np.ones((4, 21), bool), 20.0), r"\(any, 22, 2\), got \(4, 21, 2\)"),
        (lambda: Motion2D(np.zeros((4, 22, 2)), np.ones((3, 22), bool), 20.0), r"mask: .*got \(3, 22\)"),
        (lambda: Motion3D(np.zeros((4, 22, 2)), 20.0), r"3D motion: expected shape \(any, 22, 3\)"),
        (lambda: Motion3D(np.full((4, 22, 3), np.nan), 20.0), "NaN or infinite joints"),
        (lambda: Motion3D(np.zeros((4, 22, 3)), -1.0), "frame rate must be positive"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_expected_and_got(make, said):
    with pytest.raises(ClipError, match=said):
        make()


def test_errors_have_exit_codes():
    assert issubclass(ClipError, CrossDiffError)
    assert ClipError.exit_code == 1
    assert PartialFailure.exit_code == 3
