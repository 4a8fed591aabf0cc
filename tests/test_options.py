"""Descriptions of options, and the tables made of them."""

from __future__ import annotations

from importlib import import_module
from typing import Literal

import pytest
from pydantic import Field

from crossdiff.config import Config
from crossdiff.options import Option, option_table, options_of

CONFIGS = (
    "data.bvh.JointMap",
    "data.mocap.ViewConfig",
    "data.prepare.PrepareConfig",
    "evaluation.config.EvaluationConfig",
    "evaluation.config.ProtocolConfig",
    "evaluators.evaluators.EvaluatorConfig",
    "evaluators.config.EvaluatorTraining",
    "evaluators.config.PhaseConfig",
    "models.config.ModelConfig",
    "studies.ablations.Ablation",
    "studies.ablations.AblationStudy",
    "studies.detector.DetectorNoise",
    "studies.held_out.families.Family",
    "studies.held_out.study.HeldOutStudy",
    "studies.lift.config.LiftStudyConfig",
    "studies.lift.config.NearestConfig",
    "studies.sampling_sweep.Grid",
    "studies.sampling_sweep.SamplingSweep",
    "training.distil_config.DistilConfig",
    "training.config.FinetuneConfig",
    "training.config.LossWeights",
    "training.config.ShortWindows",
    "training.config.TrainConfig",
)


class Inner(Config):
    size: int = 2
    """Pixels."""


class Base(Config):
    steps: int = Field(ge=1)
    """Steps of
    a run."""
    kind: Literal["a", "b"] = "a"
    rate: float | None = Field(None, gt=0, le=1)
    """Share, | or null."""


class Derived(Base):
    steps: int = Field(1000, ge=1)
    names: tuple[str, ...] = ("x", "y")
    inner: Inner = Inner()
    on: bool = True


def test_types_defaults_and_descriptions_are_told():
    assert options_of(Derived) == [
        Option("steps", "int, ≥ 1", "`1000`", "Steps of a run."),
        Option("kind", "`a` or `b`", "`a`", ""),
        Option("rate", "float or null, > 0, ≤ 1", "`null`", "Share, \\| or null."),
        Option("names", "list of str", "`[x, y]`", ""),
        Option("inner", "Inner", "", ""),
        Option("on", "bool", "`true`", ""),
    ]
    assert options_of(Base)[0].default == ""


def test_a_table_has_a_row_for_each_option():
    lines = option_table(Derived, without=["kind"]).splitlines()
    assert len(lines) == 7
    assert lines[2] == "| `steps` | int, ≥ 1 | `1000` | Steps of a run. |"


@pytest.mark.parametrize("path", CONFIGS)
def test_every_option_is_described(path):
    module, name = path.rsplit(".", 1)
    options = options_of(getattr(import_module(f"crossdiff.{module}"), name))
    assert options
    assert not [option.name for option in options if not option.description.endswith(".")]
