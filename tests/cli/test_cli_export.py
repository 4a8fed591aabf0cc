"""`crossdiff export` as it is typed."""

import re
import shutil
import zipfile

import numpy as np
import pytest
from command import crossdiff
from synthetic import person

from crossdiff.data.bvh import read_bvh
from crossdiff.files import load_npz
from crossdiff.representation.features3d import joints_to_features_3d

ENDINGS = (".bvh", ".glb", ".npz", ".csv", ".trc", "_angles.csv", "_poses.npz")


@pytest.fixture
def motions(tmp_path, monkeypatch):
    """An empty folder to work in, with a motion, features, and a file that is neither."""
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "walk.npy", person(40).numpy())
    np.save(tmp_path / "turn.npy", joints_to_features_3d(person(40, seed=1)).numpy())
    np.save(tmp_path / "bad.npy", np.zeros((5, 7)))
    return tmp_path


def test_every_format(motions):
    formats = ["bvh", "glb", "npz", "csv", "trc", "angles", "smpl"]
    options = [word for name in formats for word in ("--format", name)]
    said = crossdiff("export", "walk.npy", "turn.npy", *options, "--smooth", "--foot-lock").ok()
    assert (
        "out = export" in said.out
        and "2 motions exported as bvh, glb, npz, csv, trc, angles, smpl to export" in said.out
    )
    names = {f"{n}{e}" for n in ("walk", "turn") for e in ENDINGS}
    assert {p.name for p in (motions / "export").iterdir()} == names
    (line,) = [line for line in said.out.splitlines() if line.startswith("  walk: ")]
    before, after = map(float, re.search(r"speed of feet in contact ([\d.]+) -> ([\d.]+) cm/s", line).groups())
    assert after < before and "bone drift" in line and "skating" not in line


def test_a_bad_file_does_not_stop_the_rest(motions):
    said = crossdiff("export", "bad.npy", "walk.npy", "none.npy", "--format", "csv", "--out", "to")
    said.failed("2 motions could not be exported", "got shape (5, 7)", "none.npy: no such file", code=3)
    assert [p.name for p in (motions / "to").iterdir()] == ["walk.csv"]
    crossdiff("export", "bad.npy", "--format", "csv").failed("1 motion could not be exported", code=1)


def test_many_motions_are_not_as_many_lines(motions):
    many = [motions / f"walk{n}.npy" for n in range(23)]
    for path in many:
        shutil.copy("walk.npy", path)
    said = crossdiff("export", *many, "--format", "csv", "--out", "to").ok().out.splitlines()
    assert len([line for line in said if line.startswith("  walk")]) == 20 and "  ... and 3 more" in said


def test_files_of_other_kinds_and_absurd_frame_rates_cost_themselves(motions):
    with zipfile.ZipFile("no_arrays.npz", "w") as z:
        z.writestr("joints.npy", "no array")
        z.writestr("fps.npy", "no array")
    for name, fps in (("fast", 1e300), ("slow", 1e-300)):
        np.savez(f"{name}.npz", joints=person(40).numpy(), fps=np.float64(fps))
    (motions / "\x1b[31mred.npz").write_bytes(b"PK\x03\x04")
    bad = ("no_arrays.npz", "fast.npz", "slow.npz", "\x1b[31mred.npz")
    said = crossdiff("export", *bad, "walk.npy", "--format", "bvh", "--out", "to")
    said.failed("4 motions could not be exported", "no_arrays.npz: not a readable npz", "1e+300 frames", code=3)
    assert "\\x1b[31mred.npz: " in said.err and "\x1b[31mred" not in said.err
    assert [p.name for p in (motions / "to").iterdir()] == ["walk.bvh"]


def test_units_of_bvh(motions):
    crossdiff("export", "walk.npy", "--format", "bvh", "--unit", "cm", "--out", "cm").ok()
    crossdiff("export", "walk.npy", "--format", "bvh", "--out", "m").ok()
    large, small = (read_bvh(motions / unit / "walk.bvh").positions() for unit in ("cm", "m"))
    np.testing.assert_allclose(large, small * 100, atol=1e-2)


def test_frame_rates(motions):
    """BVH files get the rate of a new scene of Blender, others that of the motion, until one is asked for."""
    crossdiff("export", "walk.npy", "--format", "bvh", "--format", "npz", "--out", "to").ok()
    bvh, npz = read_bvh(motions / "to/walk.bvh"), load_npz(motions / "to/walk.npz")
    assert bvh.fps == pytest.approx(24) and npz["fps"] == 20
    assert len(bvh.positions()) == 47 and len(npz["joints"]) == 40  # of 39 / 20 s
    crossdiff("export", "walk.npy", "--fps", "30", "--format", "bvh", "--format", "npz", "--out", "to").ok()
    bvh, npz = read_bvh(motions / "to/walk.bvh"), load_npz(motions / "to/walk.npz")
    assert bvh.fps == pytest.approx(30) and npz["fps"] == 30 and len(npz["joints"]) == 59


def test_names_of_joints(motions):
    crossdiff("export", "walk.npy", "--names", "mixamo", "--format", "bvh", "--format", "csv", "--out", "to").ok()
    assert read_bvh(motions / "to/walk.bvh").names[:2] == ["mixamorig:Hips", "mixamorig:LeftUpLeg"]
    assert (motions / "to/walk.csv").read_text().startswith("time,mixamorig:Hips_x,")


def test_one_motion_to_the_file_that_is_named(motions):
    said = crossdiff("export", "walk.npy", "--out", "here/walk_1.bvh").ok()
    assert "1 motion exported as bvh to here/walk_1.bvh" in said.out
    assert [p.name for p in (motions / "here").iterdir()] == ["walk_1.bvh"]
    crossdiff("export", "walk.npy", "--format", "smpl", "--out", "poses.npz").ok()
    assert "trans" in load_npz(motions / "poses.npz")
    (motions / "old.bvh").mkdir()  # a folder stays one
    crossdiff("export", "walk.npy", "--format", "bvh", "--out", "old.bvh").ok()
    assert (motions / "old.bvh/walk.bvh").is_file()


def test_what_was_exported_can_be_exported_again(motions):
    crossdiff("export", "walk.npy", "--format", "npz", "--raw", "--out", "one").ok()
    crossdiff("export", "one/walk.npz", "--format", "npz", "--raw", "--out", "two").ok()
    one, two = (load_npz(motions / n / "walk.npz")["joints"] for n in ("one", "two"))
    np.testing.assert_allclose(one, two, atol=1e-4)
    crossdiff("export", "one/walk.npz", "--format", "npz", "--out", "one").failed("would be overwritten", "--out")


def test_feet_are_planted_unless_raw_is_asked_for(motions):
    for name, more in (("planted", []), ("same", ["--foot-lock"]), ("raw", ["--raw"])):
        crossdiff("export", "walk.npy", "--format", "npz", *more, "--out", name).ok()
    planted, same, raw = (np.load(motions / name / "walk.npz")["joints"] for name in ("planted", "same", "raw"))
    np.testing.assert_array_equal(planted, same)
    assert np.abs(planted - raw).max() > 0.01


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["walk.npy", "--format", "fbx"], ["fbx", "bvh, glb, npz, csv, trc, angles, smpl"]),
        (["walk.npy", "--format", "bvh", "--unit", "inch"], ["inch", "cm, m"]),
        (["walk.npy"], ["format: expected", "got none"]),
        (["walk.npy", "--format", "bvh", "--names", "rigify"], ["rigify", "humanml3d, mixamo, unreal, vrm"]),
        (["walk.npy", "turn.npy", "--out", "both.bvh"], ["both.bvh: one file cannot hold 2 motions"]),
        (["walk.npy", "--format", "bvh", "--format", "csv", "--out", "a.bvh"], ["a.bvh: one file", "2 formats"]),
        (["walk.npy", "--format", "csv", "--out", "a.bvh"], ["a.bvh: is no name of a file in the format csv"]),
        (["walk.npy", "--format", "bvh", "--mesh"], ["--format smpl"]),
        (["walk.npy", "--format", "smpl", "--mesh"], ["mano.is.tue.mpg.de", "--body-model"]),
        (["walk.npy", "--format", "smpl", "--body-model", "none.npz"], ["none.npz: no such file"]),
        (["walk.npy", "sub/walk.npy", "--format", "bvh"], ["several motions would be written to walk.bvh"]),
        (["walk.npy", "walk_poses.npy", "--format", "smpl", "--format", "npz"], ["written to walk_poses.npz"]),
    ],
)
def test_mistakes(motions, args, words):
    crossdiff("export", *args).failed(*words)
    assert {p.name for p in motions.iterdir()} == {"walk.npy", "turn.npy", "bad.npy"}
