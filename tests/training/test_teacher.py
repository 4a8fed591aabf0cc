"""Labels that a model in training makes for itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from synthetic import StubEncoder, small_model, write_run

from crossdiff.checkpoint import save_model
from crossdiff.data.wild import WildDataset
from crossdiff.diffusion.lifting import LabelConfig, label
from crossdiff.training.config import FinetuneConfig
from crossdiff.training.stages import finetune
from crossdiff.training.teacher import OwnTeacher

RAW = LabelConfig(smooth_sigma=0)
FEW = {"batch_size": 2, "warmup_steps": 0, "learning_rate": 1e-2, "checkpoint_every": 3, "validate_every": 0}


@pytest.fixture
def encoder(monkeypatch):
    monkeypatch.setattr("crossdiff.text.load_text_encoder", lambda name="minilm": StubEncoder())


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "run", [12, 20, 16])
    return tmp_path / "run"


def labels(wild: WildDataset) -> list[np.ndarray]:
    return [clip.features["3d"] for clip in wild.clips]


def test_labels_are_the_models_own_and_are_had_again(run, tmp_path):
    wild, again = WildDataset(run), WildDataset(run)
    model = small_model(dropout=0.1).train()
    teacher = OwnTeacher(wild, range(3), 5, RAW, tmp_path / "teachers")
    before = labels(wild)
    assert not teacher.renew(3, model)
    assert all(np.array_equal(a, b) for a, b in zip(before, labels(wild), strict=True))
    assert teacher.renew(5, model)
    assert model.training
    expected = label(model.eval(), [(c.features["2d"], c.seen) for c in wild.clips], RAW)
    for made, own in zip(labels(wild), expected, strict=True):
        np.testing.assert_allclose(made, own.features, atol=1e-3)
    OwnTeacher(again, range(3), 5, RAW, tmp_path / "teachers").resume(7, torch.device("cpu"))
    assert all(np.array_equal(a, b) for a, b in zip(labels(again), labels(wild), strict=True))


def test_a_teacher_that_came_later_is_forgotten(run, tmp_path):
    wild, model = WildDataset(run), small_model()
    teacher = OwnTeacher(wild, range(3), 2, RAW, tmp_path / "teachers")
    for step in (2, 4, 6):
        teacher.renew(step, model)
    assert [p.name for p in sorted((tmp_path / "teachers").iterdir())] == ["step_00000004", "step_00000006"]
    OwnTeacher(wild, range(3), 2, RAW, tmp_path / "teachers").resume(5, torch.device("cpu"))
    assert [p.name for p in (tmp_path / "teachers").iterdir()] == ["step_00000004"]


def test_a_stopped_run_with_labels_of_its_own_takes_the_steps_it_would_have_taken(run, tmp_path, encoder, monkeypatch):
    save_model(small_model(), tmp_path / "start")
    cfg = FinetuneConfig(steps=6, refresh_every=2, **FEW)
    finetune(cfg, run, tmp_path / "start", tmp_path / "whole")
    plain = FinetuneConfig(steps=6, **FEW)
    finetune(plain, run, tmp_path / "start", tmp_path / "plain")

    class Stop(Exception): ...

    def stopping(self, step, model, renew=OwnTeacher.renew):
        if step == 5:
            raise Stop
        return renew(self, step, model)

    with monkeypatch.context() as patched, pytest.raises(Stop):
        patched.setattr(OwnTeacher, "renew", stopping)
        finetune(cfg, run, tmp_path / "start", tmp_path / "stopped")
    finetune(cfg, run, tmp_path / "start", tmp_path / "stopped")
    whole, stopped, other = (load_file(tmp_path / n / "model.safetensors") for n in ("whole", "stopped", "plain"))
    assert all((whole[k] == stopped[k]).all() for k in whole)
    assert any((whole[k] != other[k]).any() for k in whole)


def test_labels_are_made_by_one_process_alone():
    with pytest.raises(ValueError, match="set workers 0 and devices 1"):
        FinetuneConfig(refresh_every=2, workers=1)
