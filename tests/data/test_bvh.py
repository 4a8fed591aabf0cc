"""BVH files: forward kinematics against matrices written out, joint maps, files that are broken."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml
from recordings import own_names, write_bvh

from crossdiff.config import load_config
from crossdiff.data.bvh import Bvh, JointMap, joints_of, parse_bvh, read_bvh
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.errors import ClipError, ConfigError, InputError
from crossdiff.files import read_json
from crossdiff.representation.features3d import bone_lengths
from crossdiff.skeleton import HUMANML3D, KIT

TINY = """HIERARCHY
ROOT hips
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT knee
  {
    OFFSET 0 -4 0
    CHANNELS 1 Zrotation
    End Site
    {
      OFFSET 0 -2 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.05
0 10 0 0 0 0 0
5 10 0 90 0 0 90
"""


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda t: "\ufeff" + t, ["hips", "knee", "knee_end"]),
        (lambda t: t.replace("Frames:", "Frames :"), ["hips", "knee", "knee_end"]),
        (lambda t: t.replace("Frame Time:", "Frame time:"), ["hips", "knee", "knee_end"]),
        (lambda t: t.replace("Frame Time:", "FrameTime :\t"), ["hips", "knee", "knee_end"]),
        (lambda t: t.replace("\n", "\r\n"), ["hips", "knee", "knee_end"]),
        (lambda t: t.replace("OFFSET", "Offset").replace("Zrotation", "ZROTATION"), ["hips", "knee", "knee_end"]),
        (lambda t: t.replace("JOINT knee\n  {", "JOINT knee {"), ["hips", "knee", "knee_end"]),
        (lambda t: t.replace("End Site", "End site"), ["hips", "knee", "knee_end"]),
        (lambda t: t.replace("knee", "Bip01 L Calf"), ["hips", "Bip01 L Calf", "Bip01 L Calf_end"]),
        (lambda t: t.replace("knee", "MOTION_x"), ["hips", "MOTION_x", "MOTION_x_end"]),
        (lambda t: t.replace("knee", "JOINT"), ["hips", "JOINT", "JOINT_end"]),
        (lambda t: t.replace("knee", "End MOTION"), ["hips", "End MOTION", "End MOTION_end"]),
        (lambda t: t.replace("hips", "rig:hips (1)"), ["rig:hips (1)", "knee", "knee_end"]),
    ],
)
def test_what_other_programs_write_is_read(tmp_path, change, names):
    (tmp_path / "a.bvh").write_bytes(change(TINY).encode())
    bvh = read_bvh(tmp_path / "a.bvh")
    assert bvh.names == names
    np.testing.assert_array_equal(bvh.positions(), parse_bvh(TINY).positions())


def test_a_name_that_the_map_uses_must_be_of_one_joint(tmp_path):
    write_bvh(tmp_path / "a.bvh", 3)
    text = (tmp_path / "a.bvh").read_text().replace("JOINT l_knee", "JOINT r_knee")
    names = JointMap.model_validate(own_names() | {"joints": {**own_names()["joints"], "l_knee": "r_knee"}})
    with pytest.raises(ClipError, match="several joints named r_knee"):
        joints_of(parse_bvh(text), names)


def test_long_takes_are_computed_in_blocks(tmp_path, monkeypatch):
    expected = write_bvh(tmp_path / "a.bvh", 12)
    monkeypatch.setattr("crossdiff.data.bvh._BLOCK", 5 * 27)
    joints = joints_of(read_bvh(tmp_path / "a.bvh"), JointMap.model_validate(own_names()))
    np.testing.assert_allclose(joints, expected, atol=1e-5)


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
def test_joints_are_where_matrices_put_them(tmp_path, skeleton):
    expected = write_bvh(tmp_path / "a.bvh", 12, skeleton)
    bvh = read_bvh(tmp_path / "a.bvh")
    assert bvh.fps == pytest.approx(60, abs=1e-3)
    joints = joints_of(bvh, JointMap.model_validate(own_names(skeleton)))
    assert joints.shape == expected.shape
    np.testing.assert_allclose(joints, expected, atol=1e-5)


def test_position_channels_replace_offsets_and_end_sites_have_names():
    bvh = parse_bvh(TINY)
    assert bvh.names == ["hips", "knee", "knee_end"]
    np.testing.assert_allclose(bvh.positions()[0], [[0, 10, 0], [0, 6, 0], [0, 4, 0]], atol=1e-9)
    np.testing.assert_allclose(bvh.positions()[1], [[5, 10, 0], [9, 10, 0], [9, 12, 0]], atol=1e-9)


def test_joints_can_be_sums_and_axes_and_frames_are_the_maps(tmp_path):
    expected = write_bvh(tmp_path / "a.bvh", 6)
    plain = own_names()
    joints = plain["joints"] | {"spine1": {"pelvis": 0.25, "neck": 0.75}, "head": "head_end"}
    mapped = joints_of(
        read_bvh(tmp_path / "a.bvh"), JointMap.model_validate(plain | {"joints": joints, "skip_frames": 2})
    )
    assert len(mapped) == 4
    pelvis, neck, spine, head = (HUMANML3D.index(n) for n in ("pelvis", "neck", "spine1", "head"))
    np.testing.assert_allclose(mapped[:, spine], 0.25 * expected[2:, pelvis] + 0.75 * expected[2:, neck], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(mapped[:, head] - expected[2:, head], axis=1), 0.1, atol=1e-5)
    upright = joints_of(read_bvh(tmp_path / "a.bvh"), JointMap.model_validate(plain | {"up": "z"}))
    np.testing.assert_allclose(upright, expected[..., [0, 2, 1]] * (1, 1, -1), atol=1e-5)


@pytest.mark.parametrize("name", ["bvh_cmu", "bvh_bandai_namco"])
def test_shipped_maps_name_every_joint_of_both_sides_alike(name):
    joint_map = load_config(JointMap, name)
    for left, right in ((n, "r_" + n[2:]) for n in HUMANML3D.joint_names if n.startswith("l_")):
        swapped = {k.replace("Left", "Right").replace("_L", "_R"): w for k, w in joint_map.weights(left).items()}
        assert swapped == joint_map.weights(right), left


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"joints": {"pelvis": "Hips"}}, "missing: .*l_hip"),
        ({"joints": own_names()["joints"] | {"tail": "Tail"}}, "unknown: .*tail"),
        ({"joints": own_names()["joints"] | {"neck": {"a": 0.5, "b": 0.6}}}, "weights of neck must sum to 1"),
        ({"metres_per_unit": 0}, "metres_per_unit"),
        ({"forward": "z"}, "unknown key 'forward'"),
    ],
)
def test_maps_that_do_not_fit_are_refused(tmp_path, change, said):
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(own_names() | change))
    with pytest.raises(ConfigError, match=said):
        load_config(JointMap, tmp_path / "map.yaml")


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (lambda t: t[:60], "not a BVH file"),
        (lambda t: t.replace("5 10 0 90 0 0 90\n", ""), "expected 2 frames of 7 values, got 7 values; is the file cut"),
        (lambda t: t.replace("Frames: 2", "Frames: 0"), "expected 0 frames"),
        (lambda t: t.replace("0.05", "0"), "time between frames must be positive, got 0"),
        (lambda t: t.replace("0.05", "nan"), "time between frames must be positive, got nan"),
        (lambda t: t.replace("90\n", "nan\n"), "frame 2 of 2 holds NaN or infinity"),
        (lambda t: t.replace("Frames: 2", "Frames: 99999999999"), "not a BVH file"),
        (lambda t: t.replace("OFFSET 0 -4 0", "OFFSET 0 -4 inf"), "the offset holds NaN or infinity"),
        (lambda t: t.replace("1 Zrotation", "2 Zrotation Zrotation"), "a channel appears twice in Zrotation Zrotation"),
        (lambda t: t.replace("90", "ninety", 1), "numbers alone"),
        (lambda t: t.replace("CHANNELS 1 Zrotation", "CHANNELS 1 Wrotation"), "unknown channels Wrotation"),
        (lambda t: t.replace("CHANNELS 1 Zrotation", "CHANNELS 2 Zrotation"), "unknown channels End"),
        (lambda t: t.replace("}\nMOTION", "MOTION"), "closing brace is missing"),
        (lambda t: t.replace("}\nMOTION", "}}}\nMOTION"), "closing brace, got|braces"),
        (lambda t: t.replace("OFFSET 0 -4 0", "OFFSET 0 -4"), "HIERARCHY is broken"),
        (lambda t: t.replace("OFFSET 0 -4 0", "0 -4 0"), "expected OFFSET"),
    ],
)
def test_broken_files_are_told_at_once(tmp_path, cut, said):
    (tmp_path / "a.bvh").write_text(cut(TINY))
    with pytest.raises(ClipError, match=said):
        read_bvh(tmp_path / "a.bvh")


def test_a_skeleton_without_the_maps_joints_is_named():
    with pytest.raises(ClipError, match=r"lacks the joints .*l_hip.* it has hips, knee, knee_end"):
        joints_of(parse_bvh(TINY), JointMap.model_validate(own_names()))
    with pytest.raises(ClipError, match="7 values per frame"):
        Bvh(parse_bvh(TINY).joints, np.zeros((2, 5)), 20.0)


@pytest.mark.parametrize(("fps", "frames"), [(60.0, 181), (24.0, 73), (30.0, 91)])
def test_a_folder_of_any_frame_rate_becomes_a_dataset(tmp_path, fps, frames):
    for n, name in enumerate(("sub/one", "sub/two", "other/three")):
        write_bvh(tmp_path / "raw" / f"{name}.bvh", frames, fps=fps, seed=n)
    (tmp_path / "raw" / "sub" / "bad.bvh").write_text("HIERARCHY")
    cfg = PrepareConfig(val_share=0, test_share=0, max_bad_share=0.3, mirror=False)
    summary = prepare(tmp_path / "raw", tmp_path / "data", cfg, JointMap.model_validate(own_names()))
    assert summary.clips["train"] == 3
    assert summary.skipped == {"not readable": 1}
    joints = np.load(tmp_path / "data" / "new_joints" / "one.npy")
    assert joints.shape == (61, 22, 3)
    np.testing.assert_allclose(bone_lengths(torch.from_numpy(joints))[0], HUMANML3D.body, atol=1e-4)
    assert read_json(tmp_path / "data" / "dataset.json")["source"] == "bvh"
    assert "bad.bvh" in (tmp_path / "data" / "left_out.csv").read_text()


def test_a_frame_rate_that_is_set_goes_before_the_files(tmp_path):
    write_bvh(tmp_path / "a.bvh", 181, fps=60)
    cfg = PrepareConfig(val_share=0, test_share=0, fps=30, mirror=False)
    prepare(tmp_path / "a.bvh", tmp_path / "data", cfg, JointMap.model_validate(own_names()))
    assert len(np.load(tmp_path / "data" / "new_joints" / "a.npy")) == 121


def test_names_that_repeat_are_told_apart_by_their_folders(tmp_path):
    for folder in ("a", "b"):
        write_bvh(tmp_path / "raw" / folder / "walk.bvh", 121)
    cfg = PrepareConfig(val_share=0, test_share=0)
    prepare(tmp_path / "raw", tmp_path / "data", cfg, JointMap.model_validate(own_names()))
    assert (tmp_path / "data" / "train.txt").read_text().split() == ["a_walk", "Ma_walk", "b_walk", "Mb_walk"]


def test_bvh_needs_a_map_of_the_same_skeleton(tmp_path):
    write_bvh(tmp_path / "a.bvh", 3)
    with pytest.raises(InputError, match="need a joint map: --joint-map bvh_cmu"):
        prepare(tmp_path / "a.bvh", tmp_path / "data")
    with pytest.raises(ConfigError, match="for kit, but the dataset is to be humanml3d"):
        prepare(tmp_path / "a.bvh", tmp_path / "data", joint_map=JointMap.model_validate(own_names(KIT)))
