"""Sampling: seeds, lengths, guidance, and the switch of mixture sampling."""

from __future__ import annotations

import re
from inspect import signature

import pytest
import torch
from pydantic import ValidationError
from synthetic import small_model
from torch import nn
from torch.testing import assert_close

from crossdiff.config import load_config
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.sampling import sample
from crossdiff.diffusion.schedule import inference_timesteps, make_solver
from crossdiff.errors import ConfigError, InputError
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.models.prediction import kept_signal

solvers = pytest.mark.parametrize("solver", ["dpm++", "ddim", "ddpm"])
modes = pytest.mark.parametrize("mixture", [False, True], ids=["standard", "mixture"])


class Oracle(nn.Module):
    """Stands in for the network: always says the same clean motion, and keeps what it was asked."""

    def __init__(self, model) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(1))
        generator = torch.Generator().manual_seed(1)
        cfg = model.config
        self.x_start = {d: torch.randn(cfg.max_frames, cfg.layout(d).dim, generator=generator) for d in ("2d", "3d")}
        self.calls: list[tuple[int, str, str]] = []
        self.inputs: list[torch.Tensor] = []
        self.texts: list[torch.Tensor] = []

    def forward(self, inputs, t, text, mask, targets):
        ((source, x),) = inputs.items()
        (target,) = targets
        assert (t == t[0]).all()
        self.calls.append((int(t[0]), source, target))
        self.inputs.append(x)
        self.texts.append(text)
        return {(source, target): self.x_start[target][: x.shape[1]].expand(len(x), -1, -1)}


@pytest.fixture
def model():
    return small_model()


@pytest.fixture
def oracle(model):
    model.network = Oracle(model)
    return model


TEXT = torch.randn(3, 6, generator=torch.Generator().manual_seed(5))


@solvers
@modes
def test_a_motion_does_not_depend_on_what_it_is_sampled_with(model, solver, mixture):
    options = SamplingConfig(steps=4, guidance_scale=2.0, solver=solver, mixture=mixture, switch_step=400)
    together = sample(model, TEXT, [24, 9, 14], options, [7, 8, 9])
    for row, (n, seed) in enumerate([(24, 7), (9, 8), (14, 9)]):
        alone = sample(model, TEXT[row : row + 1], [n], options, [seed])
        assert alone.shape == (1, n, 263)
        assert_close(together[row, :n], alone[0], atol=1e-3, rtol=1e-3)


@solvers
@modes
def test_the_same_seed_gives_the_same_motion_and_another_seed_another(model, solver, mixture):
    options = SamplingConfig(steps=3, guidance_scale=1.0, solver=solver, mixture=mixture, switch_step=400)
    first, again = (sample(model, TEXT, [12, 12, 12], options, [1, 1, 2]) for _ in range(2))
    assert torch.equal(first, again)
    same_text = sample(model, TEXT[:1].expand(3, -1), [12, 12, 12], options, [1, 1, 2])
    assert_close(same_text[0], same_text[1])
    assert (same_text[0] - same_text[2]).abs().max() > 1e-2


def test_frames_after_the_length_are_zero(model):
    motion = sample(model, TEXT, [24, 1, 10], SamplingConfig(steps=3), [0, 1, 2])
    assert motion.shape == (3, 24, 263)
    assert torch.isfinite(motion).all()
    assert (motion[1, 1:] == 0).all()
    assert (motion[2, 10:] == 0).all()
    assert (motion[2, :10] != 0).any(dim=-1).all()


@solvers
@modes
@pytest.mark.parametrize("steps", [1, 7, 50])
def test_with_a_perfect_denoiser_every_solver_ends_at_its_motion(oracle, solver, mixture, steps):
    for switch_step in (0, 1, 300, 999):
        motion = sample(
            oracle,
            TEXT,
            [20] * 3,
            SamplingConfig(steps=steps, guidance_scale=2.5, solver=solver, mixture=mixture, switch_step=switch_step),
            [0, 1, 2],
        )
        assert_close(motion, oracle.network.x_start["3d"][:20].expand(3, -1, -1), atol=1e-4, rtol=0)


def test_standard_sampling_asks_once_per_timestep_in_3d(oracle):
    sample(oracle, TEXT, [8] * 3, SamplingConfig(steps=10), [0, 1, 2])
    assert oracle.network.calls == [(t, "3d", "3d") for t in inference_timesteps(10)]


@solvers
@pytest.mark.parametrize(
    ("switch_step", "timesteps_2d", "timesteps_3d"),
    [
        (999, [], [989, 959, 909, 839, 749, 639, 509, 359, 189]),
        (900, [999, 989, 959, 909], [749, 639, 509, 359, 189]),
        (500, [999, 989, 959, 909, 839, 749, 639, 509], [189]),
        (100, [999, 989, 959, 909, 839, 749, 639, 509, 359, 189], [0]),
        (1, [999, 989, 959, 909, 839, 749, 639, 509, 359, 189], [0]),
        (0, [999, 989, 959, 909, 839, 749, 639, 509, 359, 189], []),
    ],
)
def test_mixture_denoises_2d_above_alpha_lifts_at_alpha_and_denoises_3d_below(
    oracle, solver, switch_step, timesteps_2d, timesteps_3d
):
    sample(
        oracle,
        TEXT,
        [8] * 3,
        SamplingConfig(steps=10, guidance_scale=2.5, solver=solver, mixture=True, switch_step=switch_step),
        [0, 1, 2],
    )
    expected = [(t, "2d", "2d") for t in timesteps_2d]
    expected += [(switch_step, "2d", "3d")]
    expected += [(t, "3d", "3d") for t in timesteps_3d]
    assert oracle.network.calls == expected


@pytest.mark.parametrize("switch_step", [0, 1, 300])
def test_with_all_steps_mixture_sampling_is_the_papers(oracle, switch_step):
    sample(
        oracle,
        TEXT,
        [2] * 3,
        SamplingConfig(steps=1000, guidance_scale=2.5, solver="ddpm", mixture=True, switch_step=switch_step),
        [0, 1, 2],
    )
    expected = [(t, "2d", "2d") for t in range(999, switch_step, -1)]
    expected += [(switch_step, "2d", "3d")]
    expected += [(t, "3d", "3d") for t in range(switch_step - 1, -1, -1)]
    assert oracle.network.calls == expected


@solvers
@pytest.mark.parametrize(("steps", "switch_step"), [(10, 500), (10, 97), (50, 300)])
def test_at_the_switch_both_states_have_the_noise_of_their_timesteps(oracle, solver, steps, switch_step):
    sample(
        oracle,
        TEXT,
        [24] * 3,
        SamplingConfig(steps=steps, guidance_scale=1.0, solver=solver, mixture=True, switch_step=switch_step),
        [0, 1, 2],
    )
    network = oracle.network
    lifted = network.calls.index((switch_step, "2d", "3d"))
    for call, domain in ((lifted, "2d"), (lifted + 1, "3d")):
        t = network.calls[call][0]
        kept = kept_signal(torch.tensor(t))
        noise = (network.inputs[call] - kept.sqrt() * network.x_start[domain]) / (1 - kept).sqrt()
        assert abs(float(noise.mean())) < 0.05
        assert abs(float(noise.std()) - 1) < 0.05


def test_the_solver_starts_afresh_after_the_switch(oracle, monkeypatch):
    made = []

    def recording(name, timesteps):
        made.append(list(timesteps))
        return make_solver(name, timesteps)

    monkeypatch.setattr("crossdiff.diffusion.sampling.make_solver", recording)
    sample(
        oracle,
        TEXT,
        [4] * 3,
        SamplingConfig(steps=5, guidance_scale=1.0, solver="dpm++", mixture=True, switch_step=500),
        [0, 1, 2],
    )
    assert made == [[999, 959, 839, 639, 500], [0]]


def test_the_mask_is_left_out_where_no_frame_is_padding(oracle):
    network = oracle.network
    masks = []

    def forward(inputs, t, text, mask, targets):
        masks.append(mask)
        return Oracle.forward(network, inputs, t, text, mask, targets)

    network.forward = forward
    sample(oracle, TEXT, [8, 8, 8], SamplingConfig(steps=1), [0, 1, 2])
    sample(oracle, TEXT, [8, 3, 8], SamplingConfig(steps=1), [0, 1, 2])
    assert masks[0] is None
    assert masks[1].sum(1).tolist() == [8, 3, 8, 8, 3, 8]


def test_guidance_of_one_asks_with_text_alone(oracle):
    sample(oracle, TEXT, [8] * 3, SamplingConfig(steps=2, guidance_scale=1.0), [0, 1, 2])
    assert all(torch.equal(text, TEXT) for text in oracle.network.texts)


def test_guidance_asks_with_and_without_text_and_extrapolates(oracle):
    network = oracle.network

    def forward(inputs, t, text, mask, targets):
        network.texts.append(text)
        return {("3d", "3d"): text[:, :1, None].expand(-1, 8, 263)}

    network.forward = forward
    motion = sample(oracle, TEXT, [8] * 3, SamplingConfig(steps=1, guidance_scale=3.0), [0, 1, 2])
    assert torch.equal(network.texts[0], torch.cat([TEXT, torch.zeros_like(TEXT)]))
    assert_close(motion, 3.0 * TEXT[:, :1, None].expand(-1, 8, 263))


def test_guidance_of_zero_ignores_the_text(model):
    options = SamplingConfig(steps=2, guidance_scale=0.0, guidance_end=0)
    assert_close(sample(model, TEXT, [8] * 3, options, [0, 1, 2]), sample(model, -TEXT, [8] * 3, options, [0, 1, 2]))


@modes
def test_progress_is_told_once_per_step(model, mixture):
    told = []
    options = SamplingConfig(steps=4, mixture=mixture)
    sample(model, TEXT, [5] * 3, options, [0, 1, 2], lambda i, n: told.append((i, n)))
    count = len(options.timesteps)
    assert count == (6 if mixture else 4)
    assert told == [(i, count) for i in range(1, count + 1)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 1001},
        {"guidance_scale": -0.1},
        {"guidance_scale": float("nan")},
        {"guidance_scale": float("inf")},
        {"solver": "euler"},
        {"switch_step": -1},
        {"switch_step": 1000},
        {"switch_step": 1.5},
        {"steps": 2.5},
        {"guidance_scale": "2"},
    ],
)
def test_options_that_make_no_sense(wrong):
    with pytest.raises(ValidationError, match=f"1 validation error for SamplingConfig\n{next(iter(wrong))}"):
        SamplingConfig(**wrong)


@pytest.mark.parametrize(("lengths", "seeds"), [([0, 5, 5], [0, 1, 2]), ([25, 5, 5], [0, 1, 2]), ([5, 5, 5], [0, 1])])
def test_lengths_and_seeds_that_cannot_be(model, lengths, seeds):
    with pytest.raises(InputError, match="expected"):
        sample(model, TEXT, lengths, SamplingConfig(steps=2), seeds)


def test_a_model_of_3d_alone_samples_the_standard_way_only():
    model = small_model(domains="3d", shared_encoder=False, cross_decoders=False, decouple_root=False)
    assert sample(model, TEXT, [8] * 3, SamplingConfig(steps=2), [0, 1, 2]).shape == (3, 8, 263)
    with pytest.raises(InputError, match=r"mixture: expected a model of domains 2d\+3d"):
        sample(model, TEXT, [8] * 3, SamplingConfig(steps=2, mixture=True), [0, 1, 2])


@solvers
@modes
def test_a_model_of_word_sequences_gives_the_same_motion_whatever_the_batch(solver, mixture):
    model = small_model(text="sequence")
    words = [torch.randn(n, 6, generator=torch.Generator().manual_seed(n)) for n in (2, 5, 3)]
    options = SamplingConfig(steps=3, guidance_scale=2.0, solver=solver, mixture=mixture, switch_step=400)
    together = sample(model, torch.nn.utils.rnn.pad_sequence(words, batch_first=True), [9, 12, 12], options, [4, 5, 6])
    alone = sample(model, words[0][None], [9], options, [4])
    assert_close(together[0, :9], alone[0], atol=1e-3, rtol=1e-3)


def test_every_way_to_ask_samples_alike_by_default():
    from crossdiff.cli.sample import sample as command
    from crossdiff.diffusion.pipeline import CrossDiffPipeline

    default = SamplingConfig()
    assert EvaluationConfig().sampling == default
    of_the_model = dict.fromkeys(("num_inference_steps", "steps", "switch_step", "guidance_end"))
    asked = signature(CrossDiffPipeline.__call__).parameters
    assert {n: asked[n].default for n in default.keywords()} == {
        n: of_the_model.get(n, value) for n, value in default.keywords().items()
    }
    given = signature(command).parameters
    assert {n: given["guidance" if n == "guidance_scale" else n].default for n in vars(default)} == {
        n: of_the_model.get(n, value) for n, value in vars(default).items()
    }


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sampling.switch_step=5000", "'sampling.switch_step': got 5000: expected a timestep, 0 to 999"),
        ("sampling.steps=1001", "'sampling.steps': got 1001: expected 1 to 1000"),
        ("sampling.guidance_scale=.nan", "'sampling.guidance_scale': got nan: input should be a finite number"),
        ("sampling.solver=euler", "'sampling.solver': got 'euler': input should be 'dpm++', 'ddim' or 'ddpm'"),
    ],
)
def test_an_evaluation_refuses_them_when_it_is_loaded(override, said):
    with pytest.raises(ConfigError, match=re.escape(f"--set: {said}")):
        load_config(EvaluationConfig, overrides=[override])


def test_guidance_of_3d_ends_and_that_of_2d_does_not(oracle):
    rows = []
    forward = oracle.network.forward

    def counting(inputs, t, *rest, **named):
        ((domain, x),) = inputs.items()
        rows.append((domain, int(t[0]), len(x)))
        return forward(inputs, t, *rest, **named)

    oracle.network.forward = counting
    options = SamplingConfig(steps=10, guidance_scale=2.5, mixture=True, switch_step=850, guidance_end=700)
    sample(oracle, TEXT, [4] * 3, options, [0, 1, 2])
    flat = [(999, 6), (989, 6), (959, 6), (909, 6), (850, 6)]
    assert [(t, n) for domain, t, n in rows if domain == "2d"] == flat
    assert [(t, n) for domain, t, n in rows if domain == "3d"] == [(749, 6), (639, 3), (509, 3), (359, 3), (189, 3)]
    rows.clear()
    low = options.model_copy(update={"switch_step": 100})
    sample(oracle, TEXT, [4] * 3, low, [0, 1, 2])
    assert {n for domain, _, n in rows if domain == "2d"} == {6}
