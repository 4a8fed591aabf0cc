"""The ablation study: its rows are those of the paper's table 2, and a tiny one runs, stops and goes on."""

from __future__ import annotations

from importlib import resources

import pytest
import yaml

from crossdiff.config import load_config, shipped_configs
from crossdiff.errors import ConfigError
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.evaluators.training import train_evaluator
from crossdiff.studies.ablations import Ablation, AblationStudy, run_ablations, step_flops
from crossdiff.training.config import ShortWindows, TrainConfig

ROWS = sorted(
    n.removeprefix("ablations/").removesuffix(".yaml") for n in shipped_configs() if n.startswith("ablations/")
)
SMALL = {"width": 16, "heads": 2, "feed_forward": 16, "domain_layers": 1, "shared_layers": 2, "root_layers": 1}
SMALL |= {"root_feed_forward": 16, "dropout": 0.0}


def test_every_row_of_the_paper_is_there():
    paper = {load_config(Ablation, f"ablations/{row}").paper for row in ROWS}
    assert paper == {
        "MDM", "Ours", "50% 3D", "100% 3D", "50% 3D + 100% 2D", "w/o shared-weights encoder",
        "1 view(front)", "1 view(left)", "5 views",
    }  # fmt: skip
    assert (resources.files("crossdiff.configs") / "ablations" / "full.yaml").is_file()


@pytest.mark.parametrize("size", ["ablations-small", "ablations-paper"])
@pytest.mark.parametrize("row", ROWS)
def test_every_row_makes_two_stages(size, row):
    study = load_config(AblationStudy, size)
    assert set(study.rows) == set(ROWS)
    first, second = study.stages(load_config(Ablation, f"ablations/{row}"))
    assert (first.stage, second.stage) == (1, 2)
    assert (first.share_3d, first.share_2d, first.views) == (second.share_3d, second.share_2d, second.views)


def test_rows_differ_as_they_say():
    study = load_config(AblationStudy, "ablations-small")
    first = {row: study.stages(load_config(Ablation, f"ablations/{row}"))[0] for row in ROWS}
    assert first["3d-50"].share_3d == 0.5
    assert first["3d-50-2d-100"].share_2d == 1
    assert first["3d-100"].model.domains == "3d"
    assert not first["no-shared-encoder"].model.shared_encoder
    assert len(first["views-5"].views.views) == 5
    assert first["full"].model.width == first["mdm"].model.width


def tiny() -> AblationStudy:
    stage = {"batch_size": 2, "validate_every": 0, "warmup_steps": 1}
    protocol = {"replications": 2, "batch_size": 4, "diversity_pairs": 2, "multimodality_replications": 0}
    return AblationStudy.model_validate(
        {
            "rows": ["mdm", "full"],
            "stage1": {**stage, "stage": 1, "steps": 2, "model": SMALL},
            "stage2": {**stage, "stage": 2, "steps": 1},
            "evaluation": {"split": "train", "protocol": protocol, "sampling": {"steps": 2}},
        }
    )


def test_a_tiny_study_writes_its_table_and_goes_on(prepared, tmp_path):
    phases = {name: {"steps": 1, "batch_size": 4} for name in ("movement", "matching")}
    sizes = {"dim": 4, "movement_width": 8, "movement_dim": 8, "motion_width": 8, "text_width": 8}
    cfg = EvaluatorTraining.model_validate({"evaluator": sizes, **phases})
    train_evaluator(cfg, prepared, tmp_path / "evaluators" / "t2m-all", "t2m", "all")
    out = tmp_path / "out"
    summary = run_ablations(tiny(), prepared, tmp_path / "evaluators", out, only=["full"])
    assert summary.rows == 1
    made = (out / "full" / "stage1" / "loss.csv").stat().st_mtime_ns
    assert run_ablations(tiny(), prepared, tmp_path / "evaluators", out).rows == 2
    assert (out / "full" / "stage1" / "loss.csv").stat().st_mtime_ns == made
    text = (out / "ablations.md").read_text()
    assert "| Real |" in text
    assert "| baseline | MDM-like baseline |" in text
    assert "±" in text
    assert (out / "ablations.png").stat().st_size > 5000
    assert "<table>" in (out / "ablations.html").read_text()
    with pytest.raises(ConfigError, match="expected some of mdm, full, got other"):
        run_ablations(tiny(), prepared, tmp_path / "evaluators", out, only=["other"])


def test_rows_at_equal_compute_get_as_many_operations(prepared, monkeypatch):
    monkeypatch.setattr("crossdiff.studies.ablations._PROBES", 2)  # one in each half of a run
    study = load_config(AblationStudy, "equal-compute")
    assert study.equal_compute
    rows = {row: study.stages(load_config(Ablation, row)) for row in study.rows}
    assert all(len(stages) == 1 for stages in rows.values())
    small = {"model": {**SMALL, "frames_per_token": 4}, "batch_size": 4, "steps": 20}
    base = TrainConfig.model_validate({"stage": 1, **small})
    finer = base.model_copy(update={"model": base.model.model_copy(update={"frames_per_token": 1})})
    shorter = base.model_copy(update={"short_windows": ShortWindows(frames=8, share=0.5)})
    flops = {name: step_flops(cfg, prepared) for name, cfg in (("base", base), ("finer", finer), ("short", shorter))}
    assert step_flops(base, prepared) == flops["base"]
    assert 2.5 < flops["finer"] / flops["base"] < 6
    assert 0.4 < flops["short"] / flops["base"] < 0.95
    second = TrainConfig.model_validate({"stage": 2, **small})
    assert step_flops(second, prepared) < 0.6 * flops["base"]


def test_a_row_of_double_cost_takes_half_of_the_steps(prepared, tmp_path, monkeypatch):
    phases = {name: {"steps": 1, "batch_size": 4} for name in ("movement", "matching")}
    sizes = {"dim": 4, "movement_width": 8, "movement_dim": 8, "motion_width": 8, "text_width": 8}
    cfg = EvaluatorTraining.model_validate({"evaluator": sizes, **phases})
    train_evaluator(cfg, prepared, tmp_path / "evaluators" / "t2m-all", "t2m", "all")
    monkeypatch.setattr("crossdiff.studies.ablations.step_flops", lambda cfg, data: 2.0 if cfg.model.width == 32 else 1)
    wide = tmp_path / "wide.yaml"
    wide.write_text("label: wide\ngroup: network\ntrain: {model: {width: 32}}\n")
    study = tiny().model_copy(update={"rows": ("full", str(wide)), "stage2": None, "equal_compute": True})
    out = tmp_path / "out"
    assert run_ablations(study, prepared, tmp_path / "evaluators", out).rows == 2
    steps = {
        n: yaml.safe_load((out / n / "stage1" / "train.yaml").read_text())["config"]["steps"] for n in ("full", "wide")
    }
    assert steps == {"full": 2, "wide": 1}
    text = (out / "ablations.md").read_text()
    assert "| network | wide |" in text
