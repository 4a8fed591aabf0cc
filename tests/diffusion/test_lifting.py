"""Lifting 2D features with a model."""

from __future__ import annotations

import pytest
import torch
from synthetic import small_model
from torch.testing import assert_close

from crossdiff.diffusion.lifting import LabelConfig, lift, normalize_observed
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.representation.mirroring import mirror_features, mirror_mask
from crossdiff.skeleton import HUMANML3D


@pytest.fixture
def model():
    return small_model()


FLAT = torch.randn(2, 10, 132, generator=torch.Generator().manual_seed(0))
SEEN = torch.rand(2, 10, 132, generator=torch.Generator().manual_seed(1)) < 0.7


def test_what_was_not_seen_does_not_matter(model):
    lifted = lift(model, FLAT, SEEN)
    assert lifted.shape == (2, 10, 263)
    for other in (0.0, 1e6, float("nan")):
        assert torch.equal(lift(model, FLAT.masked_fill(~SEEN, other), SEEN), lifted)
    assert not torch.allclose(lift(model, FLAT), lifted)


def test_padding_does_not_matter(model):
    frames = torch.arange(10) < torch.tensor([[10], [6]])
    lifted = lift(model, FLAT, SEEN, frames)
    assert_close(lifted[1:, :6], lift(model, FLAT[1:, :6], SEEN[1:, :6]), atol=1e-5, rtol=1e-5)


def test_it_is_the_networks_2d_to_3d_at_zero_without_text(model):
    with torch.no_grad():
        t, null = torch.zeros(2, dtype=torch.long), torch.zeros(2, 6)
        direct = model.network({"2d": normalize_observed(model, FLAT)}, t, null)["2d", "3d"]
    assert_close(lift(model, FLAT, options=LabelConfig(mirror=False)), model.denormalize("3d", direct))
    assert not lift(model, FLAT).requires_grad


def test_a_model_of_word_sequences_lifts_without_words():
    model = small_model(text="sequence")
    assert torch.isfinite(lift(model, FLAT, SEEN)).all()


def test_unseen_values_are_the_models_own_guess(model):
    once = LabelConfig(mirror=False)
    with torch.no_grad():
        t, null = torch.zeros(2, dtype=torch.long), torch.zeros(2, 6)
        hidden = normalize_observed(model, FLAT).masked_fill(~SEEN, 0.0)
        guess = model.network({"2d": hidden}, t, null)["2d", "2d"]
    complete = model.denormalize("2d", torch.where(SEEN, hidden, guess))
    assert_close(lift(model, FLAT, SEEN, options=once), lift(model, complete, options=once), atol=1e-5, rtol=1e-5)
    as_mean = lift(model, FLAT, SEEN, options=LabelConfig(impute=False, mirror=False))
    assert not torch.allclose(lift(model, FLAT, SEEN, options=once), as_mean)


def test_a_path_that_is_not_known_leaks_through_no_other_value(model):
    mask = torch.from_numpy(~layout_2d().moving).expand(2, 10, -1)
    elsewhere = torch.where(mask, FLAT, FLAT + 3.0)
    assert torch.equal(lift(model, FLAT, mask), lift(model, elsewhere, mask))


def test_the_mirror_image_is_lifted_to_the_mirrored_motion(model):
    flat, space = layout_2d(), layout_3d()
    turned = lift(model, mirror_features(FLAT, flat, HUMANML3D), mirror_mask(SEEN, flat, HUMANML3D))
    assert_close(turned, mirror_features(lift(model, FLAT, SEEN), space, HUMANML3D), atol=1e-5, rtol=1e-5)
