"""The pipeline from prompts to motions, with a stub in place of the text encoder."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import StubEncoder, small_model

from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.diffusion.sampling import SamplingOptions
from crossdiff.errors import CheckpointError, InputError

FAST = SamplingOptions(2)


@pytest.fixture
def pipe(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    return CrossDiffPipeline(small_model(text_fingerprint="stub-weights").train())


def test_one_motion_per_prompt_of_the_length_asked_for(pipe):
    motions = pipe(["walk", "run"], num_frames=[12, 24], options=FAST)
    assert [m.joints.shape for m in motions] == [(12, 22, 3), (24, 22, 3)]
    assert all(m.fps == 20 for m in motions)


def test_a_motion_depends_on_prompt_length_and_seed_alone(pipe):
    first, second = pipe(["walk", "run"], num_frames=[12, 24], seed=4, options=FAST)
    again = pipe("run", num_frames=24, seed=5, options=FAST)[0]
    np.testing.assert_allclose(again.joints, second.joints, atol=1e-3)
    one_by_one = pipe(" walk ", num_frames=12, seed=[4], options=FAST)[0]
    np.testing.assert_allclose(one_by_one.joints, first.joints, atol=1e-3)


@pytest.mark.parametrize(
    "asked",
    [
        {"prompts": []},
        {"prompts": ["walk", "  "]},
        {"prompts": None},
        {"prompts": b"walk"},
        {"prompts": ["a", "b"], "num_frames": [12]},
        {"prompts": ["a", "b"], "seed": [1]},
        {"prompts": "a", "num_frames": 25},
        {"prompts": "a", "num_frames": 0},
    ],
)
def test_requests_that_cannot_be_met(pipe, asked):
    with pytest.raises(InputError, match="expected"):
        pipe(**asked, options=FAST)


def test_a_prompt_longer_than_the_encoder_reads_is_refused(pipe):
    with pytest.raises(InputError, match="31 tokens, the text encoder stub reads at most 30"):
        pipe("walk " * 31, options=FAST)


def test_another_encoder_than_in_training_is_refused(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    with pytest.raises(CheckpointError, match="trained with text encoder stub"):
        CrossDiffPipeline(small_model(text_fingerprint="0123456789abcdef"))


def test_kit_motions_come_in_metres(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    model = small_model(skeleton="kit")
    height = model.normalizers["3d"].mean.clone()
    height[3] = 900.0
    model.set_statistics("3d", height, model.normalizers["3d"].std)
    motion = CrossDiffPipeline(model)("walk", num_frames=8, options=FAST)[0]
    assert motion.joints.shape == (8, 21, 3)
    assert motion.fps == 12.5
    assert 2 < motion.joints[:, 0, 1].mean() < 3.5  # 900 units of 3 mm
