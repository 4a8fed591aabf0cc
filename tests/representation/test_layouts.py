"""Widths and slices of the feature vectors, and statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from crossdiff.errors import InputError
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.representation.normalizer import MIN_STD, Normalizer, RunningStatistics
from crossdiff.skeleton import HUMANML3D, KIT


@pytest.mark.parametrize(
    ("skeleton", "dim_3d", "paper", "official"), [(HUMANML3D, 263, 132, 134), (KIT, 251, 126, 128)]
)
def test_widths(skeleton, dim_3d, paper, official):
    assert layout_3d(skeleton).dim == dim_3d
    assert layout_2d(skeleton, "paper").dim == paper
    assert layout_2d(skeleton, "official").dim == official


@pytest.mark.parametrize("layout", [layout_3d(), layout_3d(KIT), layout_2d(), layout_2d(KIT, "official")])
def test_groups_cover_the_vector_once_and_in_order(layout):
    covered = [i for part in layout.groups.values() for i in range(part.start, part.stop)]
    assert covered == list(range(layout.dim))
    assert layout.pose == slice(layout.root.stop, layout.dim)
    for name, part in layout.groups.items():
        assert getattr(layout, name) == part


@pytest.mark.shared
def test_published_statistics_fit_the_layout_and_share_deviations_as_ours_do(shared):
    with np.load(shared / "golden" / "humanml3d_stats.npz") as z:
        mean, std = z["mean"], z["std"]
    layout = layout_3d()
    assert mean.shape == std.shape == (layout.dim,)
    for name, part in layout.groups.items():
        values = std[1:3] if name == "root" else std[part]
        assert_close(values, np.full_like(values, values[0]), rtol=1e-5, atol=1e-7)
    assert 0.8 < mean[3] < 1.0  # height of the pelvis
    x = torch.randn(5, layout.dim)
    normalizer = Normalizer(mean, std)
    assert_close(normalizer.inverse(normalizer(x)), x, atol=1e-5, rtol=1e-4)


def test_running_statistics_are_numpys_with_the_deviation_of_groups_averaged():
    rng = np.random.default_rng(0)
    layout = layout_3d()
    clips = [rng.normal(3.0, 2.0, size=(n, layout.dim)).astype(np.float32) for n in (5, 9, 1)]
    stats = RunningStatistics(layout.dim)
    for clip in clips:
        stats.add(clip)
    mean, std = stats.result(layout)
    every = np.concatenate(clips).astype(np.float64)
    assert_close(mean, every.mean(0).astype(np.float32))
    plain = every.std(0)
    for part in (slice(0, 1), slice(1, 3), slice(3, 4), *[s for n, s in layout.groups.items() if n != "root"]):
        assert_close(std[part], np.full(part.stop - part.start, plain[part].mean(), np.float32))


def test_masked_values_do_not_count():
    layout = layout_2d()
    x = np.ones((4, layout.dim), dtype=np.float32)
    x[2:] = 100.0
    mask = np.zeros_like(x, dtype=bool)
    mask[:2] = True
    stats = RunningStatistics(layout.dim)
    stats.add(x, mask)
    mean, std = stats.result(layout)
    assert (mean == 1).all()
    assert (std == np.float32(MIN_STD)).all()  # constant values do not divide by zero


def test_values_that_are_always_masked_are_an_error():
    stats = RunningStatistics(layout_2d().dim)
    with pytest.raises(InputError, match="masked in all clips"):
        stats.result(layout_2d())


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        (torch.zeros(3), torch.ones(4), r"\(3,\) and \(4,\)"),
        (torch.zeros(2, 2), torch.ones(2, 2), "vectors"),
        (torch.tensor([float("nan")]), torch.ones(1), "NaN"),
        (torch.zeros(1), torch.tensor([float("inf")]), "infinite"),
    ],
)
def test_statistics_that_cannot_be_used(mean, std, said):
    with pytest.raises(InputError, match=said):
        Normalizer(mean, std)
