"""Batches of captions and lengths without motion."""

from __future__ import annotations

from collections import Counter

import pytest

from crossdiff.data.batches import make_batch
from crossdiff.data.captioned import CaptionBatches
from crossdiff.learnt import LearntCaption

KNOWN = [
    LearntCaption(text="a person walks", clips=90),
    LearntCaption(text="a person hops", clips=10),
    LearntCaption(text="a person juggles", clips=100, origin="film"),
]


def batches(seed: int = 0, size: int = 40, known: list[LearntCaption] = KNOWN) -> CaptionBatches:
    return CaptionBatches(known, {"2d": 5, "3d": 7}, size, 196, seed)


def test_a_batch_has_one_length_and_no_padding():
    lengths = [make_batch(batches(), step).lengths for step in range(200)]
    assert all(len(set(own)) == 1 for own in lengths)
    first = [own[0] for own in lengths]
    assert min(first) >= 24 and max(first) <= 196 and min(first) < 30 and max(first) > 180
    assert 0.35 < sum(frames < 69 for frames in first) / 200 < 0.65  # half of them in the lower half of the logarithms


def test_both_origins_have_their_share_and_sentences_of_one_origin_are_alike():
    said = Counter(c for step in range(50) for c in make_batch(batches(), step).captions)
    assert said["a person juggles"] / 2000 == pytest.approx(0.5, abs=0.05)
    assert said["a person hops"] / 2000 == pytest.approx(0.25, abs=0.05)


def test_rows_depend_on_seed_step_and_row_alone():
    whole = make_batch(batches(), 3).captions
    assert [c.caption for c in batches().crops(3, [5, 11])] == [whole[5], whole[11]]
    assert make_batch(batches(), 4).captions != whole != make_batch(batches(1), 3).captions


def test_short_models_have_short_clips():
    source = CaptionBatches(KNOWN, {"2d": 5, "3d": 7}, 2, 16, 0)
    assert make_batch(source, 0).lengths == [16, 16]
