"""The small inputs beside the checkout, each of which once gave a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from command import crossdiff

pytestmark = pytest.mark.shared


@pytest.fixture
def cases(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if not (shared / "cases").is_dir():
        pytest.skip("the cases are not there")
    monkeypatch.chdir(tmp_path)
    return shared / "cases"


def test_bvh_files_beside_bad_ones_are_prepared(cases, tmp_path):
    shares = ("--set", "val_share=0", "--set", "test_share=0", "--set", "mirror=false")
    names = cases / "bvh/joint_map.yaml"
    said = crossdiff("prepare", cases / "bvh", "--joint-map", names, "--out", "data", *shares)
    said.failed("nan.bvh: frame 6 of 46 holds NaN", "bones without length: spine3 - l_collar", code=3)
    good = {"ok", "bom", "frames_space", "frametime_lower"}
    assert set((tmp_path / "data/train.txt").read_text().split()) == good


@pytest.mark.parametrize(
    ("name", "ours", "theirs"), [("spaces", "l_elbow", "Bip01 L Forearm"), ("motionname", "pelvis", "MOTION_pelvis")]
)
def test_names_of_other_programs_can_be_mapped(cases, tmp_path, name, ours, theirs):
    mapped = yaml.safe_load((cases / "bvh/joint_map.yaml").read_text())
    mapped["joints"][ours] = theirs
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(mapped))
    shares = ("--set", "val_share=0", "--set", "test_share=0")
    file = cases / f"bvh/{name}.bvh"
    crossdiff("prepare", file, "--joint-map", "map.yaml", "--out", "data", *shares).ok()
    assert name in (tmp_path / "data/train.txt").read_text().split()


def test_one_bad_file_costs_only_itself(cases):
    said = crossdiff("import-2d", cases / "other/import_two", "--out", "run")
    said.failed("1 of 2 clips failed", "frame_text: ", code=3)
    assert "2 clips: 1 imported" in said.out
    motions = (cases / "other/notnpy.npz", cases / "other/fps_1e300.npz")
    crossdiff("export", *motions, "--format", "bvh", "--out", "out").failed("2 motions could not be exported")


@pytest.mark.parametrize(
    "args",
    [
        ("compare", "deep.json"),
        ("filter", "--config", "deep.yaml"),
        ("filter", "--config", "hugeint.yaml"),
        ("convert-evaluator", "tens.tar", "--stats", "no_stats", "--words", "words.npz", "--out", "out"),
        ("convert-pose", "sd1.pth", "--out", "out"),
    ],
    ids=lambda args: args[0],
)
def test_each_of_these_is_one_line(cases, args):
    (name,) = [word for word in args if (cases / "other" / word).is_file()]
    crossdiff(*(cases / "other" / word if word == name else word for word in args)).failed(name)


@pytest.mark.slow
def test_a_record_with_a_lone_surrogate_is_replaced(cases, tmp_path):
    (tmp_path / "out").mkdir()
    shutil.copy(cases / "other/prsurr_samples.json", tmp_path / "out/samples.json")
    crossdiff("sample", "a", "--out", "out", "--steps", "1", "--frames", "40", "--no-video").ok()
