"""Datasets of some clips of another one."""

from __future__ import annotations

import numpy as np
import pytest

from crossdiff.data.mocap import MocapDataset
from crossdiff.data.subset import write_subset
from crossdiff.errors import InputError


def test_clips_are_those_of_the_source_and_statistics_its_own(prepared, tmp_path):
    ids = MocapDataset(prepared).ids
    out = tmp_path / "part"
    write_subset(prepared, out, {"train": ids[:2], "val": ids[2:3], "test": ids[3:4]})
    part, whole = MocapDataset(out), MocapDataset(prepared)
    assert part.ids == ids[:2]
    assert part.captions == whole.captions[:2]
    for index in range(2):
        np.testing.assert_array_equal(part.packed.features(index, 0, 8), whole.packed.features(index, 0, 8))
    every = np.concatenate([part.packed.features(i, 0, int(n)) for i, n in enumerate(part.lengths)])
    np.testing.assert_allclose(part.statistics()["3d"].mean, every.mean(0), atol=1e-4)
    assert not np.allclose(part.statistics()["3d"].mean, whole.statistics()["3d"].mean)
    assert MocapDataset(out, "test").ids == ids[3:4]


def test_the_same_lists_are_left_alone_and_others_replace_them(prepared, tmp_path):
    ids, out = MocapDataset(prepared).ids, tmp_path / "part"
    splits = {"train": ids[:2], "val": ids[2:3], "test": ids[3:4]}
    write_subset(prepared, out, splits)
    made = (out / "dataset.json").stat().st_mtime_ns
    write_subset(prepared, out, splits)
    assert (out / "dataset.json").stat().st_mtime_ns == made
    write_subset(prepared, out, {**splits, "train": ids[1:2]})
    assert MocapDataset(out).ids == ids[1:2]


def test_a_clip_that_is_not_there_leaves_no_dataset(prepared, tmp_path):
    with pytest.raises(InputError, match="nobody"):
        write_subset(prepared, tmp_path / "part", {"train": ["nobody"], "val": [], "test": []})
    assert not (tmp_path / "part" / "dataset.json").exists()


def test_a_dataset_is_not_overwritten(prepared):
    with pytest.raises(InputError, match="another folder"):
        write_subset(prepared, prepared, {"train": ["a"], "val": [], "test": []})
