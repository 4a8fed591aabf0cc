"""Motions from files: joints, features and labels, their captions, and errors that name the file."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from synthetic import person

from crossdiff.data.motion_files import caption_of, motion_files, read_motion
from crossdiff.errors import InputError
from crossdiff.files import save_npy, save_npz, write_json, write_text
from crossdiff.representation.features3d import features_to_joints, joints_to_features_3d
from crossdiff.skeleton import HUMANML3D, KIT


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
def test_joints_are_read_as_they_are(tmp_path, skeleton):
    joints = person(12, skeleton).numpy()
    save_npy(tmp_path / "m.npy", joints.astype(np.float32))
    found = read_motion(tmp_path / "m.npy")
    assert found.skeleton is skeleton and found.fps == skeleton.fps
    assert_allclose(found.joints, joints, atol=1e-6)


def test_hidden_files_of_a_folder_are_no_motions(tmp_path):
    for name in ("b.npy", "._b.npy", ".c.12.tmp.npz", "a.npz"):
        write_text(tmp_path / name, "")
    assert [file.name for file in motion_files([tmp_path])] == ["a.npz", "b.npy"]


def test_features_become_joints(tmp_path):
    joints = person(30)
    features = joints_to_features_3d(joints).numpy()
    save_npy(tmp_path / "m.npy", features)
    save_npz(tmp_path / "m.npz", features=features, fps=np.float64(10.0))
    plain, label = read_motion(tmp_path / "m.npy"), read_motion(tmp_path / "m.npz")
    assert plain.joints.shape == (29, 22, 3) and plain.skeleton is HUMANML3D
    assert_allclose(plain.joints, features_to_joints(joints_to_features_3d(joints)), atol=1e-4)
    # Features start at the origin and face +z; sizes and heights stay.
    assert_allclose(plain.joints[..., 1], joints[:-1, :, 1] - joints[..., 1].min(), atol=0.02)
    assert (plain.fps, label.fps) == (20.0, 10.0)


def test_features_of_kit_become_metres(tmp_path):
    joints = person(30, KIT)
    save_npy(tmp_path / "m.npy", joints_to_features_3d(joints / KIT.metres_per_unit, KIT).numpy())
    found = read_motion(tmp_path / "m.npy")
    assert found.skeleton is KIT and 0.5 < np.ptp(found.joints[0, :, 1]) < 2.5


def broken_joints():
    joints = np.zeros((5, 22, 3))
    joints[3, 4, 1] = np.nan
    return joints


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((5, 24, 3)), r"expected joints \(frames, 22, 3\).*got shape \(5, 24, 3\)"),
        (np.zeros((20, 66)), r"got shape \(20, 66\)"),
        (np.zeros((0, 22, 3)), "no frames"),
        (np.zeros((0, 263)), "no frames"),
        (broken_joints(), "NaN"),
        (np.full((5, 22, 3), "x"), "expected numbers"),
        (np.array(1.0), r"got shape \(\)"),
    ],
)
def test_what_is_no_motion_is_named(tmp_path, array, word):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(InputError, match=rf"bad\.npy: .*{word}"):
        read_motion(tmp_path / "bad.npy")


def test_a_file_of_another_kind_or_none_is_named(tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01")
    (tmp_path / "video.mp4").write_bytes(b"x")
    joints = np.zeros((9, 22, 3))
    for name, arrays in (
        ("shape", {"joints": np.zeros(3)}),
        ("poses", {"poses": np.zeros(3)}),
        ("rates", {"joints": joints, "fps": np.zeros(2)}),
        ("still", {"joints": joints, "fps": np.float64(0)}),
    ):
        save_npz(tmp_path / f"{name}.npz", **arrays)
    for name, word in (
        ("none.npy", "no such file"),
        ("text.npy", "not a plain numpy array"),
        ("cut.npy", "not a plain numpy array"),
        ("video.mp4", "motions are joints"),
        ("shape.npz", "got shape"),
        ("poses.npz", "holds poses; expected joints"),
        ("rates.npz", "expected one number as fps"),
        ("still.npz", "frame rate must be positive"),
    ):
        with pytest.raises(InputError, match=rf"{name}: .*{word}"):
            read_motion(tmp_path / name)


def test_folders_stand_for_the_motions_in_them(tmp_path):
    for name in ("b.npy", "a.npz", "c.mp4"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in motion_files([tmp_path / "x.npy", tmp_path])] == ["x.npy", "a.npz", "b.npy"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: holds no motions"):
        motion_files([tmp_path / "empty"])


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
