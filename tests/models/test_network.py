"""The two-domain network: padding, lengths, directions, gradients, sizes."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from synthetic import small_config, small_model
from torch import nn
from torch.testing import assert_close

from crossdiff.models import ModelConfig
from crossdiff.models.network import CrossDiffNetwork, sinusoids
from crossdiff.models.prediction import x_start_of_v
from crossdiff.types import DOMAINS

PAIRS = [(s, d) for s in DOMAINS for d in DOMAINS]
# One encoder and a linear output on 3D alone, as in MDM (Tevet et al. 2022).
MDM_LIKE = {
    "domains": "3d", "domain_layers": 2, "shared_encoder": False, "cross_decoders": False, "decouple_root": False
}  # fmt: skip
variants = pytest.mark.parametrize(
    "changes",
    [
        {},
        {"frames_per_token": 4},
        {"norm_first": True},
        {"skeleton": "kit", "layout_2d": "official"},
        {"domains": "3d"},
        {"shared_encoder": False},
        {"decouple_root": False},
        {"cross_decoders": False, "decouple_root": False},
        {"text": "sequence"},
        {"prediction": "v"},
        {"aligned_decoders": True, "norm_first": True},
        {"text": "sequence", "norm_first": True, "frames_per_token": 2, "shared_encoder": False},
        MDM_LIKE,
    ],
    ids=str,
)


def inputs_of(cfg: ModelConfig, frames: int, batch: int = 3) -> tuple[dict, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(frames)
    x = {d: torch.randn(batch, frames, cfg.layout(d).dim, generator=generator) for d in cfg.domain_names}
    shape = (batch, cfg.text_dim) if cfg.text == "token" else (batch, 4, cfg.text_dim)
    return x, torch.tensor([0, 500, 999])[:batch], torch.randn(shape, generator=generator)


def pairs_of(cfg: ModelConfig) -> list:
    return [(s, d) for s in cfg.domain_names for d in cfg.domain_names]


@variants
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("filling", [1e3, float("nan"), float("inf")])
def test_padding_changes_no_real_frame(changes, mode, filling):
    network = small_model(**changes).network.train(mode == "train")
    x, t, text = inputs_of(network.cfg, 13)
    with torch.no_grad():
        alone = network(x, t, text)
        padded = {d: torch.cat([v, torch.full((3, 7, v.shape[-1]), filling)], dim=1) for d, v in x.items()}
        mask = torch.arange(20).expand(3, -1) < 13
        together = network(padded, t, text, mask)
    assert set(together) == set(alone) == set(pairs_of(network.cfg))
    for pair in together:
        assert_close(together[pair][:, :13], alone[pair], atol=1e-5, rtol=0)


@variants
def test_clips_of_different_lengths_are_as_they_would_be_alone(changes):
    network = small_model(**changes).network
    lengths = torch.tensor([24, 5, 10])
    x, t, text = inputs_of(network.cfg, 24)
    mask = torch.arange(24) < lengths[:, None]
    with torch.no_grad():
        together = network(x, t, text, mask)
        for row, n in enumerate(lengths.tolist()):
            one = network({d: v[row : row + 1, :n] for d, v in x.items()}, t[row : row + 1], text[row : row + 1])
            for pair in together:
                assert_close(together[pair][row, :n], one[pair][0], atol=1e-5, rtol=0)


@variants
@pytest.mark.parametrize("frames", [1, 2, 7, 8, 23, 24])
def test_any_length_up_to_the_maximum(changes, frames):
    network = small_model(**changes).network
    x, t, text = inputs_of(network.cfg, frames)
    with torch.no_grad():
        outputs = network(x, t, text)
    assert set(outputs) == set(pairs_of(network.cfg))
    for (_, target), y in outputs.items():
        assert y.shape == (3, frames, network.cfg.layout(target).dim)
        assert torch.isfinite(y).all()


def test_too_long_is_an_error_that_says_the_maximum():
    network = small_model().network
    x, t, text = inputs_of(network.cfg, 25)
    with pytest.raises(ValueError, match="at most 24 frames, got 25"):
        network(x, t, text)


def test_one_domain_alone_gives_the_same_as_beside_the_other():
    network = small_model().network
    x, t, text = inputs_of(network.cfg, 9)
    with torch.no_grad():
        both = network(x, t, text)
        for source, target in PAIRS:
            alone = network({source: x[source]}, t, text, targets=(target,))
            assert list(alone) == [(source, target)]
            assert_close(alone[source, target], both[source, target], atol=1e-5, rtol=0)


@variants
def test_text_and_timestep_matter(changes):
    network = small_model(**changes).network
    x, t, text = inputs_of(network.cfg, 9)
    with torch.no_grad():
        before = network(x, t, text)["3d", "3d"]
        assert (network(x, t, text + 1)["3d", "3d"] - before).abs().max() > 1e-4
        assert (network(x, (t + 100) % 1000, text)["3d", "3d"] - before).abs().max() > 1e-4


def test_every_word_matters_and_padding_after_them_does_not():
    network = small_model(text="sequence").network
    x, t, text = inputs_of(network.cfg, 9)
    with torch.no_grad():
        before = network(x, t, text)
        padded = network(x, t, torch.cat([text, torch.zeros(3, 5, text.shape[-1])], dim=1))
        for pair in PAIRS:
            assert_close(padded[pair], before[pair], atol=1e-5, rtol=0)
        for word in range(text.shape[1]):
            other = text.clone()
            other[:, word] += 1
            assert (network(x, t, other)["2d", "3d"] - before["2d", "3d"]).abs().max() > 1e-5
        null = [network(x, t, torch.zeros(3, n, text.shape[-1]))["3d", "3d"] for n in (1, 7)]
    assert torch.isfinite(null[0]).all()
    assert_close(*null, atol=1e-5, rtol=0)


def test_without_a_shared_encoder_all_decoder_layers_attend_to_the_domain_encoder():
    network = small_model(shared_encoder=False, shared_layers=3).network
    assert len(network.shared) == 0
    assert len(network.decoders["2d"].pose_layers) == 3
    seen = []
    for layer in network.decoders["3d"].pose_layers:
        layer.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    x, t, text = inputs_of(network.cfg, 9)
    network({"2d": x["2d"]}, t, text, targets=("3d",))
    assert len(seen) == 3
    assert all(torch.equal(memory, seen[0]) for memory in seen)


def test_a_decoder_layer_attends_to_the_shared_layer_of_its_level():
    network = small_model(shared_layers=3, root_layers=2).network
    levels, read = [], []
    for layer in network.shared:
        layer.register_forward_hook(lambda _, args, out: levels.append(out))
    for layer in network.decoders["3d"].pose_layers:
        layer.register_forward_pre_hook(lambda _, args: read.append(args[1]))
    x, t, text = inputs_of(network.cfg, 9)
    network(x, t, text, targets=("3d",))
    assert len(levels) == 3
    assert all(torch.equal(level, memory) for level, memory in zip(levels, read, strict=True))


def test_a_network_like_mdms_has_an_encoder_and_two_linear_layers_besides_time_and_text():
    network = small_model(**MDM_LIKE).network
    assert {name.split(".")[0] for name, _ in network.named_parameters()} == {"time", "text", "encoders", "decoders"}
    assert [name for name, _ in network.decoders.named_parameters()] == ["3d.pose_out.weight", "3d.pose_out.bias"]
    assert network.encoders["3d"].pose_in.in_features == 263


@variants
def test_every_parameter_learns_in_stage_one(changes):
    sizes = {"root_layers": 2, "domain_layers": 2, "shared_layers": 3, "dropout": 0.1}
    network = small_model(**{**sizes, **changes}).network.train()
    x, t, text = inputs_of(network.cfg, 24)
    sum(y.square().mean() for y in network(x, t, text).values()).backward()
    untouched = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert untouched == []


def test_the_papers_size():
    with torch.device("meta"):
        network = CrossDiffNetwork(ModelConfig(layout_2d="official", text_dim=512))
    learned = sum(p.numel() for p in network.parameters())
    assert round(learned / 1e6, 2) == 85.52
    # The authors count their position table as parameters too.
    assert round((learned + network.table.numel()) / 1e6, 2) == 88.08


def test_positions_are_sines_and_cosines():
    table = sinusoids(50, 8)
    assert table.shape == (50, 8)
    assert_close(table[0], torch.tensor([0.0, 1] * 4))
    assert_close(table[3, :2], torch.tensor([3.0, 3.0]).sin() * torch.tensor([1.0, 0]) + torch.tensor([0, -0.9899925]))
    assert_close(table[7, 6], torch.tensor(7.0 / 10000**0.75).sin())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": 3}, "not a multiple of heads"),
        ({"width": 9, "heads": 3}, "must be even"),
        ({"root_layers": 3}, "exceeds shared_layers"),
        ({"cross_decoders": False}, "decouple_root needs cross_decoders"),
        (
            {"cross_decoders": False, "decouple_root": False, "aligned_decoders": True},
            "aligned_decoders needs cross_decoders",
        ),
        ({"domains": "2d"}, "2d\\+3d"),
        ({"text": "words"}, "sequence"),
        ({"frames_per_token": 5}, "not a multiple of frames_per_token"),
        ({"dropout": 1.0}, "less than 1"),
        ({"skeleton": "dog"}, "humanml3d"),
        ({"widht": 8}, "Extra inputs"),
        ({"domain_layers": 0}, "greater than or equal to 1"),
    ],
)
def test_sizes_that_contradict_each_other(changes, said):
    with pytest.raises(ValidationError, match=said):
        small_config(**changes)


def test_velocity_is_predicted_from_3d_to_3d_alone():
    """2D values that were not seen enter as 0: of these no velocity gives clean values back."""
    by_x, by_v = (small_model(prediction=p).eval() for p in ("x", "v"))
    generator = torch.Generator().manual_seed(0)
    inputs = {d: torch.randn(2, 8, by_x.config.layout(d).dim, generator=generator) for d in ("2d", "3d")}
    t, text = torch.tensor([3, 700]), torch.zeros(2, by_x.config.text_dim)
    x, v = (model.network(inputs, t, text) for model in (by_x, by_v))
    same = {pair: torch.equal(x[pair], v[pair]) for pair in x}
    assert same == {pair: pair != ("3d", "3d") for pair in x}
    assert_close(v["3d", "3d"], x_start_of_v(inputs["3d"], x["3d", "3d"], t))


def test_clean_values_of_a_velocity_keep_their_noise_level_in_half_precision():
    x = torch.ones(1, 1, 1, dtype=torch.bfloat16)
    found = x_start_of_v(x, x, torch.tensor([40]))
    assert_close(found, x_start_of_v(x.double(), x.double(), torch.tensor([40])).float())


@pytest.mark.parametrize("aligned", [False, True])
def test_aligned_decoders_see_their_own_frames_without_attention(aligned):
    """Layers whose last matrices are zero hand tokens on: then the queries alone are decoded, or the input too."""
    network = small_model(aligned_decoders=aligned, norm_first=True, decouple_root=False).network.eval()
    for name, weights in network.named_parameters():
        if name.endswith(("out_proj.weight", "out_proj.bias", "linear2.weight", "linear2.bias")):
            nn.init.zeros_(weights)
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 1, 8, 263, generator=generator)
    other[:, :3] = one[:, :3]
    first, second = (network({"3d": x}, torch.tensor([9]), torch.zeros(1, 6))["3d", "3d"] for x in (one, other))
    assert_close(first[:, :3], second[:, :3])
    assert torch.equal(first[:, 3:], second[:, 3:]) != aligned
