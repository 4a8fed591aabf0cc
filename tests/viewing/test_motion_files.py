"""Motions from files: joints, features and labels, their captions, and errors that name the file."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from synthetic import person

from crossdiff.errors import InputError
from crossdiff.files import save_npy, save_npz, write_json, write_text
from crossdiff.representation.features3d import joints_to_features
from crossdiff.skeleton import HUMANML3D, KIT
from crossdiff.viewing.motion_files import caption_of, read_motion


def test_joints_are_read_as_they_are(tmp_path, walking, skeleton):
    motion = walking(skeleton=skeleton)
    save_npy(tmp_path / "m.npy", motion.joints.astype(np.float32))
    found = read_motion(tmp_path / "m.npy")
    assert found.skeleton is skeleton and found.fps == skeleton.fps
    assert_allclose(found.joints, motion.joints, atol=1e-6)


def test_features_become_joints(tmp_path):
    joints = person(30)
    features = joints_to_features(joints).numpy()
    save_npy(tmp_path / "m.npy", features)
    save_npz(tmp_path / "m.npz", features=features, fps=np.float64(10.0))
    plain, label = read_motion(tmp_path / "m.npy"), read_motion(tmp_path / "m.npz")
    assert plain.joints.shape == (29, 22, 3) and plain.skeleton is HUMANML3D
    # Features start at the origin and face +z; sizes and heights stay.
    assert_allclose(plain.joints[..., 1], joints[:-1, :, 1] - joints[..., 1].min(), atol=0.02)
    assert (plain.fps, label.fps) == (20.0, 10.0)


def test_features_of_kit_become_metres(tmp_path):
    joints = person(30, KIT)
    save_npy(tmp_path / "m.npy", joints_to_features(joints / KIT.metres_per_unit, KIT).numpy())
    found = read_motion(tmp_path / "m.npy")
    assert found.skeleton is KIT and 0.5 < np.ptp(found.joints[0, :, 1]) < 2.5


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((5, 24, 3)), r"\(5, 24, 3\)"),
        (np.zeros((0, 22, 3)), "no frames"),
        (np.full((5, 22, 3), np.nan), "NaN"),
        (np.full((5, 22, 3), "x"), "numbers"),
        (np.array(1.0), r"\(\)"),
    ],
)
def test_what_is_no_motion_is_named(tmp_path, array, word):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(InputError, match=rf"bad\.npy: .*{word}"):
        read_motion(tmp_path / "bad.npy")


def test_a_file_of_another_kind_or_none_is_named(tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    save_npz(tmp_path / "other.npz", joints=np.zeros(3))
    for name, word in (("text.npy", "numpy"), ("none.npy", "no such file"), ("other.npz", "shape")):
        with pytest.raises(InputError, match=rf"{name}: .*{word}"):
            read_motion(tmp_path / name)


def test_captions_come_from_the_record_then_from_the_texts(tmp_path):
    path = tmp_path / "new_joints" / "M01.npy"
    assert caption_of(path) == ""
    write_text(tmp_path / "texts" / "M01.txt", "a person waves#a/DET#0.0#0.0\nsomeone waves#s/NOUN#0.0#0.0\n")
    assert caption_of(path) == "a person waves"
    write_json(path.parent / "samples.json", {"motions": [{"name": "M01", "prompt": "</script>"}]})
    assert caption_of(path) == "</script>"
    assert caption_of(path.with_name("M02.npy")) == ""
    for other in ("[]", '{"motions": [1]}', "{"):
        write_text(path.parent / "samples.json", other)
        assert caption_of(path) == "a person waves"
