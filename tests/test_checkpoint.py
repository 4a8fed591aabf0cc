"""Checkpoints come back as they were, or say what is wrong with them; and nothing is ever unpickled."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from synthetic import small_model

from crossdiff.checkpoint import (
    few_step_model,
    find_checkpoint,
    keep_newest,
    latest_state,
    load_model,
    load_state,
    save_model,
    save_state,
    shipped_model,
    shipped_models,
    weights_hash,
)
from crossdiff.errors import CheckpointError
from crossdiff.files import sha256
from crossdiff.models import CrossDiffModel

REPO = Path(__file__).resolve().parents[1]
PACKAGES = ("crossdiff", "pipeline", "annotations", "configs", "pretrained", "benchmarks")


@pytest.fixture
def folder(tmp_path) -> Path:
    return save_model(small_model(), tmp_path / "model")


def edit_config(folder: Path, **changes) -> None:
    values = json.loads((folder / "config.json").read_text())
    values["config"].update(changes)
    (folder / "config.json").write_text(json.dumps(values))


def test_weights_statistics_and_configuration_come_back(folder):
    before, after = small_model(), load_model(folder)
    assert after.config == before.config
    assert not after.training
    for name, value in before.state_dict().items():
        assert torch.equal(value, after.state_dict()[name])


def test_half_precision_halves_the_network_and_leaves_the_statistics(tmp_path):
    model = small_model()
    save_model(model, tmp_path / "half", "float16")
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {v.dtype for k, v in stored.items() if k.startswith("network.")} == {torch.float16}
    assert {v.dtype for k, v in stored.items() if k.startswith("normalizers.")} == {torch.float32}
    after = load_model(tmp_path / "half")
    for name, value in model.state_dict().items():
        assert after.state_dict()[name].dtype == torch.float32
        torch.testing.assert_close(after.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    assert torch.equal(after.normalizers["3d"].mean, model.normalizers["3d"].mean)


def test_the_hub_mixin_reads_and_writes_the_same_format(folder, tmp_path):
    model = CrossDiffModel.from_pretrained(folder)
    model.save_pretrained(tmp_path / "again")
    again = load_model(tmp_path / "again")
    assert not model.training
    assert again.config == small_model().config
    assert torch.equal(again.network.text.weight, small_model().network.text.weight)


def test_the_hub_mixin_is_strict_too(folder):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in state.items() if ".decoders.3d." not in k}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"do not fit the configuration .*decoders\.3d"):
        CrossDiffModel.from_pretrained(folder)


def test_nothing_to_find_says_what_was_expected(tmp_path):
    for missing in (tmp_path, tmp_path / "nothing", "no-such-model"):
        with pytest.raises(CheckpointError, match=r"no checkpoint there .*config\.json and model\.safetensors"):
            load_model(missing)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_missed(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_model(folder)


@pytest.mark.parametrize("size", [0, 5, 100, 5000])
def test_truncated_weights_are_named(folder, size):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a readable safetensors file"):
        load_model(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"config": 3}', '{"config": {"width": "wide"}}', "\ud800"])
def test_a_damaged_configuration_is_named(folder, text):
    (folder / "config.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(CheckpointError, match=r"config\.json: not a CrossDiff configuration \(.+\)"):
        load_model(folder)


def test_an_unknown_key_in_the_configuration_is_an_error(folder):
    edit_config(folder, colour="blue")
    with pytest.raises(CheckpointError, match=r"config\.json: .*"):
        load_model(folder)


def test_weights_of_another_size_or_name_are_counted_and_named(folder):
    weights = folder / "model.safetensors"
    state = load_file(weights)
    edit_config(folder, text_dim=7)
    with pytest.raises(CheckpointError, match=r"1 of another shape, such as network\.text\.weight\); use the folder"):
        load_model(folder)
    edit_config(folder, text_dim=6)
    save_file({k: v for k, v in state.items() if k != "network.text.bias"}, weights)
    with pytest.raises(CheckpointError, match=r"1 missing, 0 unexpected.*network\.text\.bias"):
        load_model(folder)
    save_file(state | {"network.extra": torch.zeros(1)}, weights)
    with pytest.raises(CheckpointError, match=r"0 missing, 1 unexpected.*network\.extra"):
        load_model(folder)


@pytest.mark.parametrize(
    "changes", [{"width": 65536}, {"feed_forward": 60000}, {"domain_layers": 1000}, {"text_dim": 65536}]
)
def test_an_enormous_configuration_is_compared_before_it_is_allocated(folder, changes, monkeypatch):
    edit_config(folder, **changes)
    allocated = []

    def spied(path, *rest, **named):
        allocated.append(path)
        return load_file(path, *rest, **named)

    monkeypatch.setattr("crossdiff.models.weights.load_file", spied)
    with pytest.raises(CheckpointError, match="weights do not fit the configuration"):
        load_model(folder)
    assert not allocated


@pytest.mark.parametrize("changes", [{"width": 10**9}, {"max_frames": 10**12}, {"domain_layers": 10**6}])
def test_absurd_sizes_are_refused(folder, changes):
    edit_config(folder, **changes)
    with pytest.raises(CheckpointError, match=r"config\.json: not a CrossDiff configuration \(.*less than or equal"):
        load_model(folder)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("network.text.weight", lambda w: w * float("nan"), "holds NaN or infinite"),
        ("network.text.weight", lambda w: w.int(), "holds int32, expected floats"),
        ("normalizers.3d.std", lambda w: -w, "standard deviations must be above 0"),
        ("normalizers.2d.std", lambda w: 0 * w, "standard deviations must be above 0"),
    ],
)
def test_weights_and_statistics_that_cannot_be_used_are_named(folder, name, change, said):
    weights = folder / "model.safetensors"
    state = load_file(weights)
    save_file({**state, name: change(state[name])}, weights)
    with pytest.raises(CheckpointError, match=f"{name.replace('.', '.')}.*{said}"):
        load_model(folder)


def test_a_checkpoint_from_a_parallel_wrapper_is_read(folder):
    weights = folder / "model.safetensors"
    save_file({f"module.{name}": value for name, value in load_file(weights).items()}, weights)
    for model in (load_model(folder), CrossDiffModel.from_pretrained(folder)):
        assert not model.training
        assert torch.equal(model.network.text.weight, small_model().network.text.weight)


def test_the_hub_mixin_refuses_nan_and_damaged_files_too(folder):
    weights = folder / "model.safetensors"
    state = load_file(weights)
    save_file(state | {"network.text.weight": state["network.text.weight"] * torch.nan}, weights)
    with pytest.raises(CheckpointError, match=r"network\.text\.weight holds NaN"):
        CrossDiffModel.from_pretrained(folder)
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a readable safetensors file"):
        CrossDiffModel.from_pretrained(folder)


def test_the_hash_is_that_of_the_weights_file(folder, tmp_path):
    assert weights_hash(folder) == sha256(folder / "model.safetensors")
    save_model(small_model(seed=1), tmp_path / "other")
    assert weights_hash(tmp_path / "other") != weights_hash(folder)


def test_a_number_of_steps_names_the_shipped_model_that_was_distilled_to_them(tmp_path, monkeypatch):
    for name in ("stage2-small", "stage2-small-4step"):
        save_model(small_model(), tmp_path / "shipped" / name)
    monkeypatch.setattr("crossdiff.checkpoint._shipped_folder", lambda: tmp_path / "shipped")
    assert shipped_model("text", steps=4).name == "stage2-small-4step"
    assert [shipped_model("text", steps).name for steps in (None, 20)] == ["stage2-small"] * 2
    assert few_step_model("stage2-small", 4) == "stage2-small-4step"
    assert few_step_model("stage1-small", 4) == "stage1-small"
    monkeypatch.chdir(tmp_path)
    save_model(small_model(), tmp_path / "stage2-small")
    assert few_step_model("stage2-small", 4) == "stage2-small"  # a folder of the user goes before the shipped model


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_load_by_name(name):
    assert load_model(name).config.max_frames >= 40
    assert find_checkpoint(name).name == name


def test_training_states_come_back_and_the_newest_is_found(tmp_path):
    for step in (3, 20, 100):
        save_state(tmp_path / f"step_{step:08d}.pt", {"step": step, "w": torch.arange(3), "log": [{"loss": 0.5}]})
    (tmp_path / ".step_00000200.123.tmp.pt").write_bytes(b"killed while writing")
    newest = latest_state(tmp_path)
    assert newest is not None
    state = load_state(newest)
    assert (state["step"], state["log"]) == (100, [{"loss": 0.5}])
    keep_newest(tmp_path, 2)
    assert sorted(p.name for p in tmp_path.glob("step_*")) == ["step_00000020.pt", "step_00000100.pt"]
    assert latest_state(tmp_path / "nothing") is None


def test_a_state_with_objects_in_it_is_not_loaded(tmp_path):
    torch.save({"step": Path("/")}, tmp_path / "step_1.pt")
    with pytest.raises(CheckpointError, match=r"step_1\.pt: not a readable training state"):
        load_state(tmp_path / "step_1.pt")


def calls(path: Path) -> list[tuple[str, set[str]]]:
    """(name, keyword=value) of every call in a Python file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            words = {f"{k.arg}={ast.unparse(k.value)}" for k in node.keywords}
            found.append((ast.unparse(node.func), words))
    return found


def test_no_code_unpickles_evaluates_or_loads_unsafely():
    files = [p for package in PACKAGES for p in (REPO / package).rglob("*.py")]
    assert len(files) > 60
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not imported & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}, path
        for name, words in calls(path):
            assert name not in {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}, path
            assert not name.endswith("read_pickle"), path
            assert not words & {"allow_pickle=True", "weights_only=False"}, path
            if name in {"np.load", "numpy.load"}:
                assert "allow_pickle=False" in words, path
            if name == "torch.load":
                assert "weights_only=True" in words, path
