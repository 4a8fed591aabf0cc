"""The forgetting study: the distance of poses, and a tiny study from end to end."""

from __future__ import annotations

import json

import pytest
import torch
from small_evaluators import random_evaluator
from synthetic import small_model, write_run

from crossdiff.checkpoint import save_model
from crossdiff.config import load_config
from crossdiff.errors import ConfigError
from crossdiff.evaluators.evaluators import save_evaluator
from crossdiff.learnt import LearntCaption, write_learnt
from crossdiff.studies.forgetting import ForgettingStudy, pose_distance, run_forgetting


def test_the_distance_of_poses_goes_both_ways():
    a = torch.zeros(1, 2, 3)
    b = torch.stack([torch.zeros(2, 3), torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])])
    assert pose_distance(a, a) == 0
    assert pose_distance(a, b) == pose_distance(b, a) == pytest.approx(0.5)  # 0 from a to b, 1 from b to a


def test_the_shipped_study_compares_replay_with_nothing_and_with_data():
    study = load_config(ForgettingStudy, "forgetting")
    assert study.tuning("replay").replay > 0 == study.tuning("nothing").replay
    assert study.rows["3D data"].data and study.samplings["mixture"].mixture


def tiny() -> ForgettingStudy:
    protocol = {"replications": 1, "batch_size": 4, "diversity_pairs": 2, "multimodality_replications": 0}
    few = {"steps": 2, "batch_size": 2, "warmup_steps": 0, "validate_every": 0, "precision": "32-true", "replay": 2}
    return ForgettingStudy.model_validate(
        {
            "rows": {"replay": {}, "nothing": {"finetune": {"replay": 0}}, "3D data": {"data": True}},
            "finetune": few,
            "evaluation": {"split": "val", "protocol": protocol},
            "samplings": {"standard": {"steps": 2}, "mixture": {"steps": 2, "mixture": True}},
            "repeats": 1,
            "frames": 20,
        }
    )


@pytest.fixture
def before(tmp_path, monkeypatch):
    from crossdiff.text import load_text_encoder

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    encoder = load_text_encoder("minilm")
    bound = {"text_encoder": "minilm", "text_dim": encoder.dim, "text_fingerprint": encoder.fingerprint}
    folder = save_model(small_model(**bound), tmp_path / "before")
    write_learnt(folder, [LearntCaption(text="a person walks", clips=2)])
    return folder


def test_a_tiny_study_has_a_row_for_each_run_way_and_kind_of_sampling(prepared, before, tmp_path):
    write_run(tmp_path / "one", [12, 20])
    save_evaluator(random_evaluator("t2m"), tmp_path / "evaluators/t2m-all")
    runs = [tmp_path / "one"]
    summary = run_forgetting(tiny(), runs, before, prepared, tmp_path / "evaluators", tmp_path / "out")
    assert summary.models == 3
    rows = json.loads((tmp_path / "out/forgetting.json").read_text())
    names = [f"{row}, {way}" for row in ("before", "replay", "nothing", "3D data") for way in ("standard", "mixture")]
    assert [row["fine-tuned"] for row in rows] == names
    assert {row["run"] for row in rows} == {"one"}
    text = (tmp_path / "out/forgetting.md").read_text()
    assert all(part in text for part in ("Real", "R-precision top 3", "cm from the labels"))


def test_runs_of_one_name_are_refused(before, prepared, tmp_path):
    save_evaluator(random_evaluator("t2m"), tmp_path / "evaluators/t2m-all")
    with pytest.raises(ConfigError, match="different names"):
        runs = [tmp_path / "a/run", tmp_path / "b/run"]
        run_forgetting(tiny(), runs, before, prepared, tmp_path / "evaluators", tmp_path / "out")
