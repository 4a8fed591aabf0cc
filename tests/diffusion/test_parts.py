"""Prompts in a row: what is typed, one long motion in windows, lengths, rates and guidance by part."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import StubEncoder, person, small_model
from torch.testing import assert_close

from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.parts import PartText, PromptPart, retime
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.diffusion.sampling import sample, sample_in_a_row
from crossdiff.errors import InputError

modes = pytest.mark.parametrize("mixture", [False, True], ids=["standard", "mixture"])
FAST = {"num_inference_steps": 2}


@pytest.fixture
def pipe(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    return CrossDiffPipeline(small_model())


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("a person walks", PartText("a person walks")),
        (" a person walks |4", PartText("a person walks", 4.0)),
        ("a | 2.5 s | rate = 1.5", PartText("a", 2.5, rate=1.5)),
        ("a | guidance=2 | .5", PartText("a", 0.5, guidance_scale=2.0)),
    ],
)
def test_a_typed_part_has_its_settings(typed, part):
    assert PartText.parse(typed) == part


@pytest.mark.parametrize("typed", ["a | soon", "a |", "a | 3 | 4", "a | speed=2", "a | rate=-1"])
def test_what_cannot_be_read_is_said(typed):
    with pytest.raises(InputError, match="text: expected"):
        PartText.parse(typed)


@pytest.mark.parametrize("wrong", [{"frames": 3}, {"rate": 9.0}, {"guidance_scale": -1.0}, {"guidance_scale": np.nan}])
def test_a_part_out_of_range_is_refused(wrong):
    with pytest.raises(InputError, match="part: expected"):
        PromptPart(**({"prompt": "a", "frames": 20} | wrong))


@modes
@pytest.mark.parametrize("solver", ["dpm++", "ddim", "ddpm"])
def test_one_part_that_fits_is_an_ordinary_sample(solver, mixture):
    model, text = small_model(), torch.randn(1, 6, generator=torch.Generator().manual_seed(0))
    options = SamplingConfig(steps=3, guidance_scale=2.0, solver=solver, mixture=mixture, switch_step=400)
    expected = sample(model, text, [20], options, [4])
    assert torch.equal(sample_in_a_row(model, text, [20], [2.0], options, [4]), expected)


@modes
def test_parts_are_one_motion_longer_than_the_network_takes(pipe, mixture):
    motions = pipe.sequence(
        [("walk", 40), PromptPart("wave", 30)], seed=[3, 4], mixture=mixture, switch_step=400, **FAST
    )
    assert [motion.joints.shape for motion in motions] == [(70, 22, 3)] * 2
    again = pipe.sequence([("walk", 40), ("wave", 30)], seed=4, mixture=mixture, switch_step=400, **FAST)[0]
    np.testing.assert_allclose(again.joints, motions[1].joints, atol=1e-3)
    assert np.abs(motions[0].joints - motions[1].joints).max() > 0.05


def test_each_part_is_predicted_under_its_own_text_and_guidance():
    model = small_model()
    text = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    options = SamplingConfig(steps=1, guidance_scale=1.0)
    both = sample_in_a_row(model, text, [60, 60], [1.0, 3.0], options, [0])[0]
    other_text = sample_in_a_row(model, torch.stack([text[0], -text[0]]), [60, 60], [1.0, 3.0], options, [0])[0]
    other_scale = sample_in_a_row(model, text, [60, 60], [1.0, 1.0], options, [0])[0]
    for other in (other_text, other_scale):
        # Frames of the first part are the same up to the blend with the second.
        assert_close(other[:48], both[:48])
        assert (other[72:] - both[72:]).abs().max() > 1e-3


def test_predictions_are_blended_at_the_ends_of_parts(monkeypatch):
    """A network that says one value for each text: x_start goes from one to the other over a second."""
    model = small_model()

    def forward(inputs, t, text, mask, targets):
        ((source, x),) = inputs.items()
        return {(source, targets[0]): text[:, :1, None].expand(x.shape)}

    monkeypatch.setattr(model.network, "forward", forward)
    text = torch.zeros(2, 6)
    text[1, 0] = 1.0
    made = sample_in_a_row(model, text, [30, 30], [1.0, 1.0], SamplingConfig(steps=1), [0])[0, :, 0]
    assert made[:24].abs().max() == 0 and (made[36:] - 1).abs().max() < 1e-6
    assert ((made[1:] - made[:-1]) >= 0).all() and 0.3 < float(made[29:31].mean()) < 0.7


def test_memory_is_bounded_by_the_number_of_windows_at_once(monkeypatch):
    model, rows = small_model(), []
    forward = model.network.forward
    monkeypatch.setattr(
        model.network,
        "forward",
        lambda inputs, *rest, **named: rows.append(len(inputs["3d"])) or forward(inputs, *rest, **named),
    )
    sample_in_a_row(model, torch.zeros(1, 6), [2000], [1.0], SamplingConfig(steps=1), [0])
    assert max(rows) <= 16 < sum(rows)


def test_a_part_at_twice_the_rate_is_performed_in_half_the_time():
    joints = person(1).numpy() + np.linspace(0, 1, 60)[:, None, None]
    fast = retime(joints, [PromptPart("a", 20, rate=2.0), PromptPart("b", 20)])
    assert fast.shape == (40, 22, 3)
    np.testing.assert_allclose(fast[[0, -1]], joints[[0, -1]], atol=1e-5)
    steps = np.linalg.norm(np.diff(fast[:, 0], axis=0), axis=1)
    assert steps[2:10].mean() / steps[-10:-2].mean() == pytest.approx(2, rel=0.05)
    assert retime(joints, [PromptPart("a", 60)]) is joints


def test_what_does_not_go_together_is_refused(pipe):
    from crossdiff.diffusion.goals import Goal

    with pytest.raises(InputError, match="at least one prompt"):
        pipe.sequence([], **FAST)
    with pytest.raises(InputError, match="rate 1"):
        pipe.sequence([PromptPart("a", 20, rate=2.0)], goals=[Goal("r_wrist", (0, 1, 0), 0.5)], **FAST)
