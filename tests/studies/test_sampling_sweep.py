"""The study of samplers: its rows, its table, and a tiny one that is gone on with."""

from __future__ import annotations

import pytest
from synthetic import small_model

from crossdiff.checkpoint import save_model
from crossdiff.config import load_config
from crossdiff.errors import ConfigError
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.evaluators.training import train_evaluator
from crossdiff.studies.sampling_sweep import SamplingSweep, run_sampling_sweep

PROTOCOL = {"replications": 2, "batch_size": 4, "diversity_pairs": 2, "multimodality_replications": 0}


def sweep(**changes) -> SamplingSweep:
    given = {
        "grids": [{"solver": "dpm++", "steps": [1, 2]}, {"solver": "dpm++", "steps": [2], "guidance_scale": [1, 2]}],
        "reference": {"steps": 4, "solver": "ddpm", "guidance_scale": 2.5},
        "evaluation": {"split": "train", "protocol": PROTOCOL},
        "frames": 20,
    }
    return SamplingSweep.model_validate(given | changes)


def test_every_way_comes_once_and_the_reference_last():
    rows = [(r.solver, r.steps, r.guidance_scale) for r in sweep().rows()]
    assert rows == [("dpm++", 1, 2.0), ("dpm++", 2, 2.0), ("dpm++", 2, 1.0), ("ddpm", 4, 2.5)]
    ends = sweep(grids=[{"solver": "ddim", "steps": [3], "guidance_end": [0, 800]}]).rows()[:2]
    assert [(r.guidance_scale, r.guidance_end) for r in ends] == [(2.0, 0), (2.0, 800)]


def test_the_shipped_sweep_compares_with_a_thousand_steps():
    shipped = load_config(SamplingSweep, "sampling-sweep")
    assert (shipped.reference.solver, shipped.reference.steps) == ("ddpm", 1000)
    assert shipped.evaluation.split == "val"


@pytest.fixture
def inputs(prepared, tmp_path):
    phases = {name: {"steps": 1, "batch_size": 4} for name in ("movement", "matching")}
    sizes = {"dim": 4, "movement_width": 8, "movement_dim": 8, "motion_width": 8, "text_width": 8}
    cfg = EvaluatorTraining.model_validate({"evaluator": sizes, **phases})
    train_evaluator(cfg, prepared, tmp_path / "evaluators" / "t2m-all", "t2m", "all")
    model = small_model(text_encoder="minilm", text_dim=384, max_frames=196)
    return save_model(model, tmp_path / "model"), prepared, tmp_path / "evaluators", tmp_path / "out"


def test_a_tiny_sweep_writes_its_table_and_goes_on(inputs):
    summary = run_sampling_sweep(sweep(), *inputs, only=["dpm++"])
    out = inputs[-1]
    assert summary.rows == 3
    table = (out / "sampling.md").read_text()
    assert "| Real |" in table
    assert "| dpm++ | 2 | 1 |" in table
    assert "ddpm" not in table
    made = (out / "dpm++-1-2-800" / "replications").stat().st_mtime_ns
    assert run_sampling_sweep(sweep(), *inputs).rows == 4
    assert (out / "dpm++-1-2-800" / "replications").stat().st_mtime_ns == made
    last = (out / "sampling.md").read_text().splitlines()[-1]
    assert last.startswith("| ddpm | 4 | 2.5 |")
    assert "| 1.00 |" in last
    assert (out / "sampling.png").stat().st_size > 5000
    with pytest.raises(ConfigError, match="expected some of dpm\\+\\+, reference, got euler"):
        run_sampling_sweep(sweep(), *inputs, only=["euler"])


def test_rows_of_another_model_are_not_mixed_in(inputs, tmp_path):
    run_sampling_sweep(sweep(), *inputs)
    other = save_model(small_model(1, text_encoder="minilm", text_dim=384, max_frames=196), tmp_path / "other")
    with pytest.raises(ConfigError, match="another --out"):
        run_sampling_sweep(sweep(), other, *inputs[1:], only=["reference"])
