"""Families of actions by captions, and a dataset parted by them."""

from __future__ import annotations

import shutil

import pytest

from crossdiff.data.captions import read_caption_file
from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import InputError
from crossdiff.files import write_text
from crossdiff.studies.held_out.families import Family, family_of, split_by_family

WAVE = Family(name="wave", captions=r"\bwav(e|es|ing)\b", sides=True)


@pytest.mark.parametrize(
    ("texts", "action"),
    [
        (["someone waves the left hand", "a figure is Waving with the left arm"], "wave, left"),
        (["someone waves the left hand", "a figure waves"], "wave"),
        (["waving both hands"], "wave, both"),
    ],
)
def test_actions_are_told_apart_by_side_where_all_captions_say_it(texts, action):
    assert WAVE.holds(texts)
    assert WAVE.action(texts) == action


def test_the_first_family_that_fits_takes_a_clip():
    hands = Family(name="hands", captions="hand")
    assert family_of(["waves a hand"], [WAVE, hands]) == WAVE
    assert family_of(["lifts a hand"], [WAVE, hands]) == hands
    assert family_of(["wavelet"], [WAVE, hands]) is None


def test_a_bad_pattern_is_refused():
    with pytest.raises(ValueError, match="not a regular expression"):
        Family(name="x", captions="(")


def say(data, clip: str, text: str) -> None:
    write_text(data / "texts" / f"{clip}.txt", f"{text}#a/DET#0.0#0.0\n")


@pytest.fixture
def writable(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "copy")


def test_copies_go_where_their_originals_go_and_nothing_is_lost(writable, tmp_path):
    data = writable
    splits = {s: MocapDataset(data, s).ids for s in ("train", "val", "test")}
    original = next(i for i in splits["train"] if not i.startswith("M"))
    say(data, original, "someone waves")
    say(data, f"M{original}", "nothing that a pattern finds")
    say(data, splits["test"][0], "a person is waving")
    parted = split_by_family(data, tmp_path / "parts", [WAVE])
    new = MocapDataset(parted.new)
    assert {original, f"M{original}"} <= set(new.ids)
    assert parted.counts["wave"]["train"] == 2
    for split, ids in splits.items():
        names = [(folder / f"{split}.txt").read_text().split() for folder in (parted.known, parted.new)]
        assert set(ids) <= set(names[0]) | set(names[1])
        assert not set(names[0]) & set(names[1])
    held = {c.text for i in MocapDataset(parted.known).ids for c in read_caption_file(data / "texts" / f"{i}.txt")}
    assert not any(WAVE.holds([text]) for text in held)


def test_a_family_without_a_training_clip_is_an_error(prepared, tmp_path):
    with pytest.raises(InputError, match="no training clip of flying"):
        split_by_family(prepared, tmp_path, [Family(name="flying", captions="flies")])
