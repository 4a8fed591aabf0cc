"""Evaluators for tests: random ones on made-up motion, and one that learned from a small part of the real motion."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_evaluators import random_evaluator

from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.evaluators.evaluators import save_evaluator
from crossdiff.evaluators.training import train_evaluator
from crossdiff.files import load_npz

MadeOnce = Callable[[str, Callable[[Path], object]], Path]

_GROUPS, _TRAIN, _TEST = 48, 5, 2
# Frames of a clip; short ones train in less time.
_LEAST, _MOST = 44, 100


@pytest.fixture(scope="session")
def random_evaluators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """t2m of all parts and tmr, random weights. Not to be changed."""
    folder = tmp_path_factory.mktemp("evaluators")
    for kind, part in (("t2m", "all"), ("t2m", "upper"), ("t2m", "lower"), ("tmr", "all")):
        save_evaluator(random_evaluator(kind, part), folder / f"{kind}-{part}")
    return folder


@pytest.fixture(scope="session")
def real_dataset(shared: Path, made_once: MadeOnce) -> Path:
    """Real motion of at most 48 actions and styles, 8 clips each, and mirrored copies; all splits hold each action."""
    return made_once("real", lambda folder: _prepare_real(shared, folder)) / "data"


def _prepare_real(shared: Path, folder: Path) -> None:
    index = pd.read_csv(shared / "data" / "index.csv")
    index = index[index["frames"].between(_LEAST, _MOST) & index["style"].notna()]
    groups = [g["id"].tolist()[:8] for _, g in index.groupby(["action", "style"]) if len(g) >= 8][:_GROUPS]
    splits = {"train": slice(0, _TRAIN), "val": slice(_TRAIN, 8 - _TEST), "test": slice(8 - _TEST, 8)}
    wanted = {clip_id for group in groups for clip_id in group}
    (folder / "raw" / "joints").mkdir(parents=True)
    (folder / "raw" / "texts").mkdir()
    packed = load_npz(shared / "data" / "motions.npz")
    starts, unit = packed["offsets"], float(packed["unit_m"])
    for clip_id, start, stop in zip(packed["ids"], starts[:-1], starts[1:], strict=True):
        if clip_id in wanted:
            joints = np.cumsum(packed["joints_delta"][start:stop].astype(np.int64), axis=0) * unit
            np.save(folder / "raw" / "joints" / f"{clip_id}.npy", joints.astype(np.float32))
    with zipfile.ZipFile(shared / "data" / "texts.zip") as texts:
        for name in texts.namelist():
            if Path(name).stem in wanted:
                (folder / "raw" / "texts" / Path(name).name).write_bytes(texts.read(name))
    for split, part in splits.items():
        (folder / "raw" / f"{split}.txt").write_text("".join(f"{i}\n" for group in groups for i in group[part]))
    prepare(folder / "raw", folder / "data", PrepareConfig())


@pytest.fixture(scope="session")
def learned_evaluators(real_dataset: Path, made_once: MadeOnce) -> Path:
    """A t2m evaluator that learned the actions of `real_dataset`, in ten to thirty seconds."""
    settings = {
        "evaluator": {"dim": 32, "movement_width": 96, "movement_dim": 64, "motion_width": 96, "text_width": 64},
        "movement": {"steps": 100, "batch_size": 32, "learning_rate": 1e-3},
        "matching": {"steps": 400, "batch_size": 32, "learning_rate": 1e-3, "gradient_clip": 0.5},
        "validate_every": 100,
    }
    cfg = EvaluatorTraining.model_validate(settings)
    return made_once("learned", lambda folder: train_evaluator(cfg, real_dataset, folder / "t2m-all", "t2m", "all"))
