"""Clips that share captions, and batches in which none do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.data.captions import Caption
from crossdiff.errors import InputError
from crossdiff.evaluators.shared_captions import SharedCaptions


def clips(*texts: str) -> list[list[Caption]]:
    return [[Caption(word, "") for word in text.split()] for text in texts]


def test_two_clips_share_by_any_caption_of_theirs():
    shared = SharedCaptions(clips("walk run", "run jump", "jump", "Walk."))
    expected = [[1, 1, 0, 1], [1, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]]
    assert shared.between([0, 1, 2, 3]).astype(int).tolist() == expected
    assert shared.between([3, 0]).all()


@given(st.lists(st.integers(0, 6), min_size=8, max_size=60), st.integers(0, 5))
def test_distinct_batches_share_nothing_and_repeat_no_clip(labels, seed):
    shared = SharedCaptions(clips(*(f"action{n}" for n in labels)))
    if len(set(labels)) < 3:
        return
    batches = shared.distinct_batches(np.arange(len(labels)), 3, np.random.default_rng(seed))
    drawn = np.concatenate(batches)
    assert len(set(drawn.tolist())) == len(drawn) == 3 * len(batches)
    for batch in batches:
        assert len({labels[i] for i in batch}) == 3


def test_too_few_captions_for_a_batch_are_an_error():
    with pytest.raises(InputError, match="no batch of 3 clips"):
        SharedCaptions(clips("a", "a", "b", "b")).distinct_batches(np.arange(4), 3, np.random.default_rng(0))
