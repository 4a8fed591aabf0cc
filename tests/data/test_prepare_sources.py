"""Several sources that become one dataset: packed files and their companions, ids, captions, clips left out."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic import PACKED_LINE as LINE
from synthetic import write_packed, write_raw

from crossdiff.cli import main
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.data.sources import open_source
from crossdiff.errors import InputError
from crossdiff.files import read_json


@pytest.fixture
def packed(tmp_path):
    """Two packed files in one folder."""
    one = write_packed(tmp_path / "raw", "", {"a1": "train", "a2": "val"})
    more = write_packed(tmp_path / "raw", "_more", {"b1": "train", "x_b2": "train", "b3": "test"})
    return one, more


def reasons(folder: Path) -> set[tuple[str, str]]:
    with (folder / "left_out.csv").open() as file:
        return {(row["clip"], row["reason"]) for row in csv.DictReader(file)}


def test_a_packed_file_goes_with_the_captions_and_lists_of_its_ending(packed):
    one, more = (open_source(path) for path in packed)
    assert one.splits == {"a1": "train", "a2": "val"} and set(one.texts) == {"a1", "a2"}
    assert more.splits == {"b1": "train", "x_b2": "train", "b3": "test"} and set(more.texts) == set(more.splits)
    assert not one.absent and not more.absent


def test_a_packed_file_without_companions_of_its_own_uses_those_of_the_folder(packed, tmp_path):
    for name in ("texts_more.zip", *(f"{split}_more.txt" for split in ("train", "val", "test"))):
        (packed[1].parent / name).unlink()
    (packed[1].parent / "train.txt").write_text("a1\nb1\nx_b2\nb3\n")
    summary = prepare(packed, tmp_path / "data", PrepareConfig(mirror=False))
    # The list names clips of both files, and no captions are those of the second.
    assert summary.clips == {"train": 1, "val": 1, "test": 0}
    assert summary.skipped == {"without a caption": 3}


def test_the_command_joins_sources_leaves_clips_out_and_adds_captions(packed, tmp_path, monkeypatch, capsys):
    captions = {"a1": ["A person limps #1."], "x_b2": ["left out"], "Mb1": ["a mirrored walk"], "gone": ["nobody"]}
    (tmp_path / "more.json").write_text(json.dumps(captions))
    options = ["--exclude", "x_*", "--captions", tmp_path / "more.json", "--out", tmp_path / "data"]
    monkeypatch.setattr(sys, "argv", ["crossdiff", "prepare", *map(str, [*packed, *options])])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "8 clips (4 train, 2 val, 2 test)" in capsys.readouterr().out
    data = tmp_path / "data"
    assert (data / "train.txt").read_text().split() == ["a1", "Ma1", "b1", "Mb1"]
    assert (
        data / "texts/a1.txt"
    ).read_text() == LINE + "A person limps 1.#a/OTHER person/OTHER limps/OTHER 1/OTHER#0.0#0.0\n"
    assert (data / "texts/Mb1.txt").read_text().startswith("a mirrored walk#")
    assert reasons(data) == {("x_b2", "excluded"), ("gone", "captions without a clip")}
    record = read_json(data / "dataset.json")
    assert record["source"] == "joints" and record["config"]["exclude"] == ["x_*"]
    assert (record["minutes_in"], record["minutes_out"]) == (0.16, 0.16)


def test_a_clip_id_in_two_sources_is_refused_with_both_named(packed, tmp_path):
    other = write_packed(tmp_path / "other", "", {"b1": "train", "c1": "train"})
    said = r"1 clip id in more than one source, such as b1 in .*motions_more\.npz and in .*other.*motions\.npz"
    with pytest.raises(InputError, match=said):
        prepare([packed[1], other], tmp_path / "data")
    assert not (tmp_path / "data").exists()
    summary = prepare([packed[1], other], tmp_path / "data", PrepareConfig(exclude=("b1",), mirror=False))
    assert summary.clips == {"train": 2, "val": 0, "test": 1}


def test_each_source_keeps_its_own_lists_and_captions(packed, tmp_path):
    """Clips of a source without lists are drawn, and those of one without captions have none."""
    write_raw(tmp_path / "plain", [50] * 3, splits=False)
    for path in (tmp_path / "plain/texts").iterdir():
        path.unlink()
    cfg = PrepareConfig(val_share=0.0, test_share=0.0, mirror=False)
    summary = prepare([packed[0], tmp_path / "plain"], tmp_path / "data", cfg)
    assert summary.clips == {"train": 4, "val": 1, "test": 0} and not summary.skipped
    assert (tmp_path / "data/texts/clip1.txt").read_text() == ""


def test_prepared_datasets_are_joined_with_raw_motion_bit_for_bit(packed, tmp_path):
    prepare(packed[0], tmp_path / "first")
    summary = prepare([tmp_path / "first", packed[1]], tmp_path / "both")
    assert summary.clips == {"train": 6, "val": 2, "test": 2}
    for kind in ("new_joint_vecs", "new_joints"):
        for name in ("a1", "Ma2"):
            one, both = ((tmp_path / folder / kind / f"{name}.npy").read_bytes() for folder in ("first", "both"))
            assert one == both
    prepare(packed, tmp_path / "at_once")
    for name in ("Mean", "Std2d"):
        joined, at_once = (np.load(tmp_path / folder / f"{name}.npy") for folder in ("both", "at_once"))
        np.testing.assert_allclose(joined, at_once, atol=1e-5)


def test_a_pattern_leaves_out_mirrored_copies_of_published_clips_too(packed, tmp_path):
    prepare(packed, tmp_path / "first")
    summary = prepare(tmp_path / "first", tmp_path / "second", PrepareConfig(exclude=("x_*", "a2")))
    assert summary.skipped == {"excluded": 4}
    assert (tmp_path / "second/train.txt").read_text().split() == ["a1", "Ma1", "b1", "Mb1"]


def test_patterns_and_captions_that_fit_nothing_are_refused(packed, tmp_path):
    with pytest.raises(InputError, match=r"--exclude 'hdm\*': no clip has such an id; ids are such as a1, a2, b1"):
        prepare(packed, tmp_path / "data", PrepareConfig(exclude=("hdm*",)))
    for content, said in (
        ({"other": ["walks"]}, r"none of its 1 clip ids is in the sources"),
        ({"a1": "walks"}, r"expected \{clip id: \[captions\]\}"),
        ({"a1": ["walks", " "]}, r"a1 has the empty caption ' '"),
    ):
        (tmp_path / "more.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match=rf"more\.json: {said}"):
            prepare(packed, tmp_path / "data", captions=tmp_path / "more.json")


def test_skeletons_are_not_mixed(packed, tmp_path):
    prepare(packed[0], tmp_path / "first")
    with pytest.raises(InputError, match=r"different skeletons \(.*first: humanml3d, .*motions_more.npz: kit\)"):
        prepare([tmp_path / "first", packed[1]], tmp_path / "data", PrepareConfig(skeleton="kit"))
