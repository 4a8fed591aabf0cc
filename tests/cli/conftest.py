"""A tiny model that stands for the shipped one, a real clip, and runs and datasets that many tests copy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from command import copy_to, crossdiff
from imageio_ffmpeg import get_ffmpeg_exe
from processes import PATIENCE
from synthetic import person, small_model

from crossdiff import checkpoint
from crossdiff.errors import InputError
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.features3d import joints_to_features_3d
from crossdiff.representation.projection import project_orthographic
from crossdiff.training import stages
from crossdiff.workflows.demo_clip import fetch_demo_clip

# Instead of the thousand and more that a command takes when no number of steps is given.
FEW_STEPS = 4


def save_tiny(folder: Path, **changes: Any) -> Path:
    """A model of a few thousand parameters that gives motion of a person's size."""
    sizes = {"text_encoder": "minilm", "text_dim": 384, "max_frames": 196, "frames_per_token": 4}
    model = small_model(**(sizes | changes))
    joints = person(120, model.skeleton)
    flat = joints_to_features_2d(project_orthographic(joints, "front"), model.skeleton, model.config.layout_2d)[0]
    for domain, x in (("2d", flat), ("3d", joints_to_features_3d(joints, model.skeleton))):
        model.set_statistics(domain, x.mean(0), x.std(0).clamp_min(0.05))
    return checkpoint.save_model(model, folder)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def official(tmp_path_factory) -> Path:
    """A tiny model that reads the other layout of 2D features."""
    return save_tiny(tmp_path_factory.mktemp("models") / "official", layout_2d="official")


@pytest.fixture(scope="session")
def kit(tmp_path_factory) -> Path:
    """A tiny model of the other skeleton."""
    return save_tiny(tmp_path_factory.mktemp("models") / "kit", skeleton="kit")


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """The first four seconds of the demo's video, which is downloaded once per machine."""
    try:
        whole = fetch_demo_clip()
    except InputError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    start = tmp_path_factory.mktemp("clip") / "demo.mp4"
    command = [get_ffmpeg_exe(), "-loglevel", "error", "-i", str(whole), "-t", "4", "-c", "copy", str(start)]
    subprocess.run(command, check=True, timeout=PATIENCE)
    return start


@contextmanager
def quickly(tiny: Path) -> Iterator[None]:
    """The shipped model is the tiny one, and training takes a few steps."""
    fit = stages.fit

    def short_fit(model, batches, cfg, *rest, **named):
        steps = cfg.steps if cfg.steps < 1000 else FEW_STEPS
        return fit(model, batches, cfg.model_copy(update={"steps": steps}), *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "shipped_model", lambda task="lift", steps=None: tiny)
        patch.setattr(stages, "fit", short_fit)
        yield


@pytest.fixture
def quick(tiny):
    """`quickly`, for one test: the others of this process want the shipped model."""
    with quickly(tiny):
        yield


@pytest.fixture
def here(tmp_path, monkeypatch, quick) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _type(folder: Path, tiny: Path, *commands: list[str]) -> list[str]:
    """What the commands printed, typed in this folder with the tiny model."""
    with pytest.MonkeyPatch.context() as patch, quickly(tiny):
        patch.chdir(folder)
        return [crossdiff(*command).ok().out for command in commands]


@pytest.fixture(scope="session")
def extracted(tmp_path_factory, clip, tiny) -> tuple[Path, list[str]]:
    """A folder with `videos/` and the first of the four commands done, and what was printed."""
    pytest.importorskip("mediapipe", reason="the mediapipe extra is not installed")
    folder = tmp_path_factory.mktemp("extracted")
    (folder / "videos").mkdir()
    shutil.copy(clip, folder / "videos" / "jumping_jacks.mp4")
    return folder, _type(folder, tiny, ["extract-2d", "videos/"])


@pytest.fixture(scope="session")
def finished(tmp_path_factory, extracted, tiny) -> tuple[Path, list[str]]:
    """A folder in which the four commands were typed, and what each printed."""
    folder = tmp_path_factory.mktemp("finished") / "here"
    shutil.copytree(extracted[0], folder)
    return folder, extracted[1] + _type(folder, tiny, ["pseudo-label"], ["finetune"], ["sample", "--mixture"])


@pytest.fixture
def run(here, extracted) -> Path:
    """A copy of the extracted run in the current folder, beside its videos."""
    return copy_to(extracted[0], here)


@pytest.fixture
def labelled(here, finished) -> Path:
    """A copy of the finished run without its fine-tuned model and samples."""
    run = copy_to(finished[0], here)
    for made in ("finetuned", "samples"):
        shutil.rmtree(run / made)
    return run


@pytest.fixture(autouse=True)
def same_draws():
    """Nothing depends on which test ran before."""
    torch.manual_seed(0)
