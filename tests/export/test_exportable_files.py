"""Reading motions of every kind, and what is said about those that are none."""

from __future__ import annotations

import numpy as np
import pytest
from moving import random_rig
from synthetic import person

from crossdiff.errors import InputError
from crossdiff.export.arrays import write_npz
from crossdiff.export.read import read_exportable
from crossdiff.representation.features3d import features_to_joints, joints_to_features


def test_joints(tmp_path):
    joints = person(50).numpy()
    np.save(tmp_path / "a.npy", joints)
    motion = read_exportable(tmp_path / "a.npy")
    np.testing.assert_allclose(motion.joints, joints, atol=1e-6)
    assert motion.fps == 20


def test_features_and_labels(tmp_path):
    features = joints_to_features(person(50))
    np.save(tmp_path / "a.npy", features.numpy())
    np.savez(tmp_path / "label.npz", features=features.numpy(), fps=np.float64(20), teacher=np.array("x"))
    for name in ("a.npy", "label.npz"):
        np.testing.assert_allclose(read_exportable(tmp_path / name).joints, features_to_joints(features), atol=1e-4)


def test_an_exported_npz(tmp_path):
    rig = random_rig(8)
    write_npz(rig, tmp_path / "a.npz")
    np.testing.assert_allclose(read_exportable(tmp_path / "a.npz").joints, rig.joints(), atol=1e-5)


def broken_joints():
    joints = person(20).numpy()
    joints[3, 4, 1] = np.nan
    return joints


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((20, 21, 3)), "KIT skeleton"),
        (np.zeros((20, 251)), "KIT skeleton"),
        (np.zeros((20, 66)), r"expected joints \(frames, 22, 3\).*got shape \(20, 66\)"),
        (np.zeros((20, 22, 3)), "a leg is 0 m long"),
        (person(20).numpy() * 100, "must be in metres"),
        (person(3).numpy(), "3 frames, need 4"),
        (np.zeros((0, 263)), "has no frames"),
        (broken_joints(), "NaN"),
        (np.array([["a"] * 3] * 3), "expected numbers"),
        (np.float64(3.0), r"got shape \(\)"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, array, words):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(InputError, match=rf"bad\.npy: .*{words}"):
        read_exportable(tmp_path / "bad.npy")


def test_other_files(tmp_path):
    with pytest.raises(InputError, match=r"none\.npy: no such file"):
        read_exportable(tmp_path / "none.npy")
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(InputError, match=r"a\.mp4: motions are joints"):
        read_exportable(tmp_path / "a.mp4")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(InputError, match=r"cut\.npy: not a plain numpy array"):
        read_exportable(tmp_path / "cut.npy")
    np.savez(tmp_path / "a.npz", poses=np.zeros(3))
    with pytest.raises(InputError, match=r"a\.npz: holds poses; expected joints"):
        read_exportable(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", joints=person(9).numpy(), fps=np.zeros(2))
    with pytest.raises(InputError, match=r"b\.npz: expected one number as fps"):
        read_exportable(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", joints=person(9).numpy(), fps=0.0)
    with pytest.raises(InputError, match=r"c\.npz: .*frame rate must be positive"):
        read_exportable(tmp_path / "c.npz")
