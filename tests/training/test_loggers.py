"""`--logger`: TensorBoard is tested with the loop; here are csv, and wandb through a small stand-in."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from command import crossdiff
from small_runs import loop_config, run
from synthetic import StubEncoder

from crossdiff.errors import ConfigError, MissingDependencyError


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    monkeypatch.setattr("crossdiff.text.load_text_encoder", lambda name="minilm": StubEncoder())


class StandIn(SimpleNamespace):
    """What training uses of wandb; notes each run."""

    class Error(Exception):
        pass

    def __init__(self, refuses: str = "") -> None:
        super().__init__(Video=lambda path: ("video", path), runs=[], refuses=refuses)

    def init(self, **given) -> SimpleNamespace:
        if self.refuses:
            raise self.Error(self.refuses)
        run = SimpleNamespace(given=given, rows=[], ends=[])
        run.log = lambda values, step: run.rows.append((step, values))
        run.finish = lambda exit_code: run.ends.append(exit_code)
        self.runs.append(run)
        return run


def use(monkeypatch, wandb: StandIn | None) -> None:
    monkeypatch.setitem(sys.modules, "wandb", wandb)


def test_csv_is_the_table_alone(prepared, tmp_path):
    run(prepared, tmp_path, loop_config(logger="csv", sample_every=6, sample_prompts=["walk"]))
    assert not (tmp_path / "log").exists()
    assert pd.read_csv(tmp_path / "loss.csv")["step"].tolist() == [2, 4, 6]
    assert [p.name for p in (tmp_path / "samples").iterdir()] == ["step_00000006.mp4"]


def test_wandb_gets_what_the_tables_hold_and_the_videos(prepared, tmp_path, monkeypatch):
    use(monkeypatch, wandb := StandIn())
    run(prepared, tmp_path / "walks", loop_config(logger="wandb", sample_every=6, sample_prompts=["walk"]))
    (made,) = wandb.runs
    assert made.given["project"] == "crossdiff" and made.given["name"] == "walks"
    assert made.given["config"]["steps"] == 6 and Path(made.given["dir"]) == tmp_path / "walks" / "log"
    assert made.ends == [0]
    losses = {step: row["loss"] for step, row in made.rows if "loss" in row}
    table = pd.read_csv(tmp_path / "walks" / "loss.csv").set_index("step")["loss"]
    assert losses == pytest.approx(table.to_dict())
    assert all("learning rate" in row for _, row in made.rows if "loss" in row)
    assert [step for step, row in made.rows if "validation/loss" in row]
    assert (6, {"samples": ("video", str(tmp_path / "walks/samples/step_00000006.mp4"))}) in made.rows


def test_a_resumed_training_continues_its_run_of_wandb(prepared, tmp_path, monkeypatch):
    use(monkeypatch, wandb := StandIn())
    cfg = loop_config(logger="wandb", log_every=1, checkpoint_every=2)
    with pytest.raises(KeyboardInterrupt):
        run(prepared, tmp_path / "a", cfg, at=5, error=KeyboardInterrupt)
    run(prepared, tmp_path / "a", cfg)
    first, second = wandb.runs
    assert (first.ends, second.ends) == ([1], [0])
    assert first.given["id"] == second.given["id"] and second.given["resume"] == "allow"
    assert [step for step, row in second.rows if "loss" in row] == [5, 6]
    run(prepared, tmp_path / "b", cfg)
    assert wandb.runs[-1].given["id"] != first.given["id"]


def test_the_logger_may_change_when_a_run_resumes(prepared, tmp_path, monkeypatch):
    use(monkeypatch, wandb := StandIn())
    with pytest.raises(KeyboardInterrupt):
        run(prepared, tmp_path, loop_config(logger="csv"), at=4, error=KeyboardInterrupt)
    run(prepared, tmp_path, loop_config(logger="wandb"))
    assert len(wandb.runs) == 1


def test_wandb_that_is_missing_is_named_before_anything_is_written(prepared, tmp_path, monkeypatch):
    use(monkeypatch, None)
    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[wandb\]'.* --logger tensorboard or csv"):
        run(prepared, tmp_path / "out", loop_config(logger="wandb"))
    assert not (tmp_path / "out").exists()


def test_a_refusal_of_wandb_is_one_line_with_the_way_to_work_offline(prepared, tmp_path, monkeypatch):
    use(monkeypatch, StandIn(refuses="api_key not configured\n(no-tty)"))
    with pytest.raises(ConfigError, match=r"api_key not configured \(no-tty\); .*WANDB_MODE=offline"):
        run(prepared, tmp_path, loop_config(logger="wandb"))


@pytest.mark.parametrize("command", [["train", "--config", "stage1-small"], ["finetune"]])
def test_another_logger_is_refused_with_the_choices(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    crossdiff(*command, "--logger", "mlflow").failed("logger", "tensorboard", "csv", "wandb")
