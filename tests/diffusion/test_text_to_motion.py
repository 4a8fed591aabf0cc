"""The pipeline from prompts to motions, with a stub in place of the text encoder."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from synthetic import StubEncoder, small_config, small_model

from crossdiff.checkpoint import save_model
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.pipeline import CrossDiffPipeline, compile_network, use_bf16
from crossdiff.diffusion.sampling import sample
from crossdiff.errors import CheckpointError, InputError
from crossdiff.models import CrossDiffModel

FAST = {"num_inference_steps": 2}


@pytest.fixture
def pipe(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    return CrossDiffPipeline(small_model(text_fingerprint="stub-weights").train())


def test_one_motion_per_prompt_of_the_length_asked_for(pipe):
    motions = pipe(["walk", "run"], num_frames=[12, 24], **FAST)
    assert [m.joints.shape for m in motions] == [(12, 22, 3), (24, 22, 3)]
    assert all(m.fps == 20 for m in motions)


def test_a_motion_depends_on_prompt_length_and_seed_alone(pipe):
    first, second = pipe(["walk", "run"], num_frames=[12, 24], seed=4, **FAST)
    again = pipe("run", num_frames=24, seed=5, **FAST)[0]
    np.testing.assert_allclose(again.joints, second.joints, atol=1e-3)
    one_by_one = pipe(" walk ", num_frames=12, seed=[4], **FAST)[0]
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
        {"prompts": "a", "num_frames": 12.0},
        {"prompts": "a", "num_frames": "12"},
        {"prompts": ["a", "b"], "num_frames": [12, 12.5]},
        {"prompts": "a", "seed": 0.5},
        {"prompts": "a", "seed": -1},
        {"prompts": "a", "seed": [2**64]},
        {"prompts": "a", "seed": 0, "generator": torch.Generator()},
        {"prompts": ["a", "b"], "generator": [torch.Generator()]},
        {"prompts": "a", "generator": 3},
        {"prompts": "a", "num_frames": True},
        {"prompts": "a", "num_inference_steps": True},
        {"prompts": "a", "solver": "euler"},
        {"prompts": "a", "guidance_scale": -1},
        {"prompts": "a", "mixture": True, "switch_step": 1000},
    ],
    ids=lambda asked: re.sub(r"<.*?>", "...", str(asked)),  # an address is another one in every process
)
def test_requests_that_cannot_be_met(pipe, asked):
    with pytest.raises(InputError, match=r"expected|input should be"):
        pipe(**FAST | asked)


def test_lengths_and_seeds_may_be_numpys(pipe):
    plain = pipe(["a", "b"], [8, 12], seed=[3, 4], **FAST)
    numpys = pipe(["a", "b"], np.array([8, 12]), seed=np.array([3, 4]), **FAST)
    for one, other in zip(plain, numpys, strict=True):
        np.testing.assert_array_equal(one.joints, other.joints)


def joints_of(pipe, prompts, **options):
    return [m.joints for m in pipe(prompts, 8, **FAST, **options)]


def test_a_generator_in_the_same_state_gives_the_same_motions(pipe):
    generator = torch.Generator().manual_seed(3)
    first = joints_of(pipe, ["a", "a"], generator=generator)
    second = joints_of(pipe, ["a", "a"], generator=generator)
    again = joints_of(pipe, ["a", "a"], generator=torch.Generator().manual_seed(3))
    np.testing.assert_array_equal(first, again)
    different = [first[0], first[1], second[0], second[1]]
    for i, one in enumerate(different):
        assert all(np.abs(one - other).max() > 1e-2 for other in different[:i])


def test_with_generators_a_motion_does_not_depend_on_its_neighbours(pipe):
    together = joints_of(pipe, ["a", "b"], generator=[torch.Generator().manual_seed(s) for s in (1, 2)])
    alone = joints_of(pipe, "b", generator=[torch.Generator().manual_seed(2)])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-3)
    first_of_many = joints_of(pipe, ["a", "b"], generator=torch.Generator().manual_seed(1))[0]
    np.testing.assert_allclose(first_of_many, together[0], atol=1e-3)


def test_without_seed_and_generator_the_seed_is_zero(pipe):
    np.testing.assert_array_equal(joints_of(pipe, ["a", "b"]), joints_of(pipe, ["a", "b"], seed=[0, 1]))


@pytest.mark.parametrize(
    "option",
    [{"guidance_scale": 6.0}, {"num_inference_steps": 3}, {"solver": "ddpm"}, {"mixture": True}, {"seed": 1}],
    ids=str,
)
def test_every_option_reaches_the_motion(pipe, option):
    plain, changed = (pipe("walk", 8, **FAST | asked)[0].joints for asked in ({}, option))
    assert np.abs(plain - changed).max() > 1e-3


def test_progress_is_told(pipe):
    told = []
    pipe("walk", 8, num_inference_steps=3, on_step=lambda done, count: told.append((done, count)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_motions_and_is_compiled_once_for_all_lengths(pipe):
    lengths = (24, 16, 9)
    options = {**FAST, "guidance_end": 0}
    plain = [pipe("walk", n, **options)[0].joints for n in lengths]
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    names = list(pipe.model.state_dict())
    compile_network(pipe.model, backend)
    for n, joints in zip(lengths, plain, strict=True):
        np.testing.assert_allclose(pipe("walk", n, **options)[0].joints, joints, atol=1e-4)
    assert len(compiled) == 1
    assert list(pipe.model.state_dict()) == names
    pipe("walk", 9, mixture=True, **options)
    assert len(compiled) == 3


def test_a_compiled_pipeline_is_loaded_like_any_other(pipe, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr("crossdiff.diffusion.pipeline.compile_network", compiled.append)
    folder = save_model(pipe.model, tmp_path / "model")
    CrossDiffPipeline.from_pretrained(folder)
    assert not compiled
    loaded = CrossDiffPipeline.from_pretrained(folder, compile=True)
    assert compiled == [loaded.model]


@pytest.mark.parametrize("text", ["token", "sequence"])
def test_bf16_changes_a_motion_by_its_rounding_alone(pipe, text):
    torch.manual_seed(0)
    model = CrossDiffModel(pipe.model.config.model_copy(update={"text": text})).eval()
    words, options = model.null_text(2, 5) + 1, SamplingConfig(steps=4)
    exact = sample(model, words, [24, 16], options, [0, 1])
    use_bf16(model)
    rounded = sample(model, words, [24, 16], options, [0, 1])
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).norm() / exact.norm() < 0.05
    assert model.network.encoders["3d"].pose_in.weight.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("precision", "fast", "expected"), [("auto", True, 1), ("auto", False, 0), ("bf16", False, 1), ("float32", True, 0)]
)
def test_the_precision_is_chosen_when_a_pipeline_is_loaded(pipe, tmp_path, monkeypatch, precision, fast, expected):
    changed = []
    monkeypatch.setattr("crossdiff.diffusion.pipeline.use_bf16", changed.append)
    monkeypatch.setattr("crossdiff.diffusion.pipeline.has_fast_bf16", lambda device: fast)
    folder = save_model(pipe.model, tmp_path / "model")
    CrossDiffPipeline.from_pretrained(folder, precision=precision)
    assert len(changed) == expected


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="precision: expected float32, bf16 or auto, got 'half'"):
        CrossDiffPipeline.from_pretrained(precision="half")


def test_a_prompt_longer_than_the_encoder_reads_is_refused(pipe):
    with pytest.raises(InputError, match="31 tokens, the text encoder stub reads at most 30"):
        pipe("walk " * 31, **FAST)


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
    motion = CrossDiffPipeline(model)("walk", num_frames=8, **FAST)[0]
    assert motion.joints.shape == (8, 21, 3)
    assert motion.fps == 12.5
    assert 2 < motion.joints[:, 0, 1].mean() < 3.5  # 900 units of 3 mm


def test_a_pipeline_hands_word_sequences_to_a_model_that_reads_them(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    pipe = CrossDiffPipeline(small_model(text="sequence"))
    first, other = pipe(["walk on", "walk out then"], num_frames=12, seed=[3, 3], num_inference_steps=2)
    assert first.joints.shape == (12, 22, 3)
    assert np.abs(first.joints - other.joints).max() > 1e-4


def test_models_that_do_not_fit_their_encoder_or_lack_statistics_are_refused(monkeypatch):
    monkeypatch.setattr("crossdiff.diffusion.pipeline.load_text_encoder", lambda name: StubEncoder())
    with pytest.raises(CheckpointError, match="reads text as 7 values, the encoder stub gives 6"):
        CrossDiffPipeline(small_model(text_dim=7))
    with pytest.raises(CheckpointError, match=r"the statistics of 3d features.*--stats FOLDER"):
        CrossDiffPipeline(CrossDiffModel(small_config()))


def test_whole_numbers_of_torch_and_numpy(pipe):
    plain = pipe("walk", 8, seed=3, **FAST)[0]
    for frames, seed in ((torch.tensor(8), np.int64(3)), (np.array([8]), torch.tensor([3]))):
        np.testing.assert_array_equal(pipe("walk", frames, seed=seed, **FAST)[0].joints, plain.joints)
