"""Models of the Hugging Face hub, from its cache on disk: no test asks the network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import crossdiff
from huggingface_hub import constants

from crossdiff import CrossDiffPipeline
from crossdiff.checkpoint import find_checkpoint, load_model, shipped_model
from crossdiff.errors import CheckpointError
from crossdiff.hub import download_model, looks_like_repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cached(tmp_path, monkeypatch) -> Path:
    """The hub's cache with the shipped model as `someone/motion`; there is no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "hub" / "models--someone--motion"
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(shipped_model("text"), snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return snapshot


@pytest.mark.parametrize("name", ["hf://someone/motion", f"hf://someone/motion@{COMMIT}", Path("hf://someone/motion")])
def test_a_model_of_the_hub_is_a_folder(cached, name):
    assert find_checkpoint(name) == cached
    assert load_model(name).config == load_model(shipped_model("text")).config


def test_the_pipeline_takes_the_name_as_other_libraries_do(cached):
    assert CrossDiffPipeline.from_pretrained("someone/motion").source == cached
    assert CrossDiffPipeline.from_pretrained("stage2-small").source == shipped_model("text")


def test_commands_take_it_as_a_checkpoint(cached):
    quick = ["--steps", "2", "--frames", "8", "--no-video", "--out", "made"]
    crossdiff("sample", "a person walks", "--checkpoint", "hf://someone/motion", *quick).ok()
    assert len(list(Path("made").glob("*.npy"))) == 1
    assert "4.6 M parameters" in crossdiff("models", "hf://someone/motion").ok().out


def test_what_is_not_there_is_said_in_one_line(cached):
    crossdiff("models", "hf://someone/else").failed("hf://someone/else: cannot be downloaded", "check the name")
    crossdiff("models", "hf://nobody").failed("expected hf://USER/MODEL")
    with pytest.raises(CheckpointError, match="cannot be downloaded"):
        CrossDiffPipeline.from_pretrained("someone/else")


def test_a_repository_without_a_model_is_said_to_be_one(cached):
    (cached / "model.safetensors").unlink()
    crossdiff("models", "hf://someone/motion").failed("hf://someone/motion: holds no CrossDiff model")


def test_only_files_of_a_model_are_asked_for(monkeypatch):
    asked: dict[str, object] = {}

    def snapshot_download(name: str, **options: object) -> str:
        asked.update(options, name=name)
        return "."

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    download_model("hf://someone/motion@v2")
    assert asked["name"] == "someone/motion" and asked["revision"] == "v2"
    assert {path.name for path in shipped_model("text").iterdir()} == set(asked["allow_patterns"])


def test_a_folder_is_not_taken_for_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trained" / "stage1").mkdir(parents=True)
    assert not looks_like_repository("trained/stage1") and looks_like_repository("someone/motion")
    assert not looks_like_repository("stage1-small") and not looks_like_repository("a/b/c")
