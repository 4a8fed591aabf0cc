"""`crossdiff convert`: the authors' checkpoints become models that load, or one line says why not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from command import crossdiff
from safetensors.torch import save_file
from synthetic import official_state, small_config
from torch.testing import assert_close

from crossdiff.checkpoint import load_model
from crossdiff.models import ModelConfig
from crossdiff.models.network import CrossDiffNetwork
from crossdiff.types import DOMAINS

SMALL = {"layout_2d": "official", "text_dim": 512, "text_encoder": "clip"}


def small_network(**changes) -> CrossDiffNetwork:
    torch.manual_seed(0)
    return CrossDiffNetwork(small_config(**SMALL | changes))


def write_stats(folder: Path, cfg: ModelConfig, two_d: bool = True) -> Path:
    """Statistics of the right widths, which are not HumanML3D's."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for domain, suffix in (("3d", ""), ("2d", "2d"))[: 1 + two_d]:
        dim = cfg.layout(domain).dim
        np.save(folder / f"Mean{suffix}.npy", rng.normal(size=dim).astype(np.float32))
        np.save(folder / f"Std{suffix}.npy", rng.uniform(0.5, 2, dim).astype(np.float32))
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder with `stats/` and a small checkpoint `model.pt` of two heads."""
    monkeypatch.chdir(tmp_path)
    network = small_network()
    write_stats(Path("stats"), network.cfg)
    torch.save(official_state(network), "model.pt")
    return tmp_path


def convert(path: object, *more: object):
    return crossdiff("convert", path, "--heads", 2, "--stats", "stats", "--out", "out", *more)


@pytest.mark.shared
def test_a_converted_model_computes_what_the_authors_does(tmp_path, shared):
    with np.load(shared / "golden" / "official_model_small.npz") as z:
        golden = {name: torch.from_numpy(z[name]) for name in z.files}
    with np.load(shared / "golden" / "humanml3d_stats.npz") as z:
        mean, std = z["mean"], z["std"]
    np.save(tmp_path / "Mean.npy", mean)
    np.save(tmp_path / "Std.npy", std)
    torch.save({k.removeprefix("state/"): v for k, v in golden.items() if k.startswith("state/")}, tmp_path / "o.pt")
    said = crossdiff("convert", tmp_path / "o.pt", "--stats", tmp_path, "--out", tmp_path / "out").ok()
    assert "width 32, 4 heads, 1 layers per domain, 4 shared, 2 of the root, up to 196 frames" in said.out
    assert "2D statistics = none" in said.out and "3D statistics" not in said.out
    model = load_model(tmp_path / "out")
    assert_close(model.denormalize("3d", torch.zeros(263)), torch.from_numpy(mean))
    assert_close(model.normalize("3d", torch.from_numpy(mean + std)), torch.ones(263), atol=1e-4, rtol=0)
    x = {d: golden[f"in/x{d}"].squeeze(2).transpose(1, 2) for d in DOMAINS}
    for name, text in (("text", golden["in/text"]), ("null", torch.zeros_like(golden["in/text"]))):
        with torch.no_grad():
            outputs = model.network(x, golden["in/t"], text)
        assert len(outputs) == 4
        for (source, target), y in outputs.items():
            expected = golden[f"out/{source}to{target}/{name}"].squeeze(2).transpose(1, 2)
            assert_close(y, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("skeleton", ["humanml3d", "kit"])
def test_sizes_weights_and_statistics_come_over(here, skeleton):
    network = small_network(skeleton=skeleton, domain_layers=2, shared_layers=3, root_feed_forward=12, feed_forward=20)
    write_stats(Path("stats"), network.cfg)
    torch.save(official_state(network), "model.pt")
    convert("model.pt").ok()
    model = load_model("out")
    assert model.config == network.cfg.model_copy(update={"dropout": 0.1})
    for name, value in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], value)
    for domain, suffix in (("3d", ""), ("2d", "2d")):
        assert_close(model.normalizers[domain].mean.numpy(), np.load(f"stats/Mean{suffix}.npy"))
        assert_close(model.normalizers[domain].std.numpy(), np.load(f"stats/Std{suffix}.npy"))


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_nested_state_dicts_and_safetensors_are_read(here, key):
    state = official_state(small_network())
    torch.save({"epoch": 3, key: state}, "nested.pt")
    convert("nested.pt", "--out", "nested").ok()
    save_file(state, "model.safetensors")
    convert("model.safetensors", "--out", "plain").ok()
    assert Path("nested/model.safetensors").read_bytes() == Path("plain/model.safetensors").read_bytes()


def test_the_text_encoders_weights_are_left_out_and_that_is_said(here):
    state = official_state(small_network())
    torch.save(state | {"clip_model.a": torch.zeros(2), "clip_model.b.c": torch.zeros(1)}, "clip.pt")
    assert "left out = 2 entries clip_model.*" in convert("clip.pt").ok().out
    assert "left out" not in convert("model.pt", "--out", "other").ok().out
    assert load_model("out").state_dict().keys() == load_model("other").state_dict().keys()


def test_without_statistics_a_model_is_made_that_nothing_samples_with(here):
    said = crossdiff("convert", "model.pt", "--heads", 2, "--out", "bare").ok()
    assert "3D statistics = none" in said.out and "--stats FOLDER" in said.out
    crossdiff("sample", "a person walks", "--checkpoint", "bare").failed("bare: lacks the statistics of 3d features")


def test_what_is_odd_about_statistics_is_said(here):
    said = convert("model.pt").ok()
    assert "NOT like HumanML3D's published ones" in said.out and "2D statistics" not in said.out
    for name in ("Mean2d", "Std2d"):
        Path(f"stats/{name}.npy").unlink()
    assert "2D statistics = none" in convert("model.pt", "--out", "other").ok().out
    assert load_model("out").has_statistics("2d") and not load_model("other").has_statistics("2d")


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("Mean", np.zeros(251), ["Mean.npy: expected 263 numbers (humanml3d, 3d)", "(251,)", "published"]),
        ("Std", np.full(263, np.nan), ["Std.npy: holds NaN or infinite"]),
        ("Std", np.r_[0.0, np.ones(262)], ["Std.npy: standard deviations must be above 0, got 0"]),
        ("Mean2d", np.zeros(132), ["Mean2d.npy: expected 134 numbers", "prepare SOURCE --set layout_2d=official"]),
        ("Std2d", -np.ones(134), ["Std2d.npy: standard deviations must be above 0, got -1"]),
        ("Std2d", None, ["Std2d.npy: no such file"]),
        ("Mean", None, ["Mean.npy: no such file"]),
        ("Mean", np.array(["a"] * 263), ["Mean.npy: expected 263 numbers"]),
    ],
)
def test_statistics_that_do_not_fit(here, name, array, words):
    path = Path(f"stats/{name}.npy")
    path.unlink()
    if array is not None:
        np.save(path, array)
    convert("model.pt").failed(*words)
    assert not Path("out").exists()


class Harmful:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("harmed",)


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_are_refused_and_do_not_run(here, zipped):
    torch.save(
        {"state_dict": official_state(small_network()), "args": Harmful()},
        "bad.pt",
        _use_new_zipfile_serialization=zipped,
    )
    convert("bad.pt").failed("bad.pt: holds posix.mkdir beside tensors", "nothing was read", "save_file")
    assert not Path("harmed").exists() and not Path("out").exists()
    torch.load("bad.pt", weights_only=False)
    assert Path("harmed").exists()  # so it would have run


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.pt", None, ["none.pt: no such file"]),
        ("text.pt", b"hello, this is text\n", ["text.pt: not a readable PyTorch checkpoint"]),
        ("empty.pt", b"", ["empty.pt: not a readable PyTorch checkpoint"]),
        ("cut.pt", slice(5000), ["cut.pt: not a readable PyTorch checkpoint"]),
        ("text.safetensors", b"hello, this is text\n", ["text.safetensors: not a readable safetensors file"]),
    ],
)
def test_files_that_are_no_checkpoint(here, name, content, words):
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else Path("model.pt").read_bytes()[content])
    convert(name).failed(*words)
    assert not Path("out").exists()


def some(state: dict, *stems: str) -> dict:
    return {k: v for k, v in state.items() if not k.startswith(stems)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: torch.zeros(3), ["expected a state dict", "got Tensor"]),
        (lambda s: {}, ["expected a state dict", "got empty dict"]),
        (lambda s: s | {"epoch": 3}, ["expected tensors by name, got int under 'epoch'"]),
        (lambda s: some(s, "bridge.1.norm1"), ["missing bridge.1.norm1.bias, bridge.1.norm1.weight; unexpected none"]),
        (lambda s: s | {"bridge.0.extra": torch.zeros(1)}, ["missing none; unexpected bridge.0.extra"]),
        (lambda s: s | {"embed_text.bias": torch.zeros(3)}, ["embed_text.bias: expected shape (16,), got (3,)"]),
        (lambda s: s | {"embed_text.bias": torch.full((16,), torch.nan)}, ["embed_text.bias holds NaN"]),
        (lambda s: s | {"embed_text.weight": torch.zeros(16, 768)}, ["text of 768 values", "clip gives 512"]),
        (lambda s: s | {"p_linear_j.weight": torch.zeros(16, 130)}, ["263 and 132 values", "263 and 134", "(kit)"]),
        (lambda s: some(s, "decoder_j.1.", "bridge.1.", "decoder_m.1."), ["shared_layers", "greater than or equal"]),
        (lambda s: {k: v for k, v in s.items() if "_j." not in k and k != "joint_token"}, ["lacks joint_token"]),
        (lambda s: {"layer.weight": torch.zeros(3, 3)}, ["(9 in all)", "holds layer.weight"]),
    ],
)
def test_weights_that_do_not_fit(here, change, words):
    torch.save(change(official_state(small_network())), "other.pt")
    convert("other.pt").failed("other.pt: ", *words)
    assert not Path("out").exists()


def test_heads_must_divide_the_width(here):
    convert("model.pt", "--heads", 5).failed("heads: 5 does not divide the network's width 16", "have 4")
    assert convert("model.pt", "--heads", 0).code == 2
    convert("model.pt", "--heads", 8).ok()
    assert load_model("out").config.heads == 8


def test_a_folder_with_something_in_it_is_not_written_over(here):
    convert("model.pt").ok()
    before = Path("out/model.safetensors").read_bytes()
    convert("model.pt").failed("out: exists and is not an empty folder", "--out")
    crossdiff("convert", "model.pt", "--heads", 2, "--stats", "stats", "--out", "model.pt").failed("model.pt: exists")
    assert Path("out/model.safetensors").read_bytes() == before


class LocalClip:
    def __init__(self, name: str, dim: int) -> None:
        self.name, self.dim, self.fingerprint = name, dim, "local-weights"


def test_a_model_is_bound_to_the_clip_weights_of_a_folder(here, monkeypatch):
    monkeypatch.setattr("crossdiff.models.convert.load_text_encoder", lambda name: LocalClip(name, 512))
    Path("weights").mkdir()
    convert("model.pt", "--text-encoder", "clip:weights").ok()
    config = load_model("out").config
    assert (config.text_encoder, config.text_fingerprint) == (f"clip:{here / 'weights'}", "local-weights")
    convert("model.pt", "--text-encoder", "minilm", "--out", "other").failed("clip or clip:FOLDER", "'minilm'")
    monkeypatch.setattr("crossdiff.models.convert.load_text_encoder", lambda name: LocalClip(name, 768))
    convert("model.pt", "--text-encoder", "clip:weights", "--out", "other").failed("512 values", "gives 768")
    assert not Path("other").exists()
