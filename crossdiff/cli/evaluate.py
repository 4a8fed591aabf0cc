"""`crossdiff evaluate`: the field's table for a model, with intervals."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossdiff.cli.options import (
    DEFAULT_DATASET,
    Dataset,
    EvaluatedModel,
    EvaluatorFolder,
    ModelName,
    ResultFolder,
    SamplingDevices,
    StartOver,
    setting,
)
from crossdiff.cli.printing import print_default, print_summary

if TYPE_CHECKING:
    from crossdiff.checkpoint import Task


def evaluate(
    checkpoint: EvaluatedModel = None,
    data: Dataset = DEFAULT_DATASET,
    evaluators: EvaluatorFolder = None,
    out: ResultFolder = None,
    name: ModelName = None,
    config: Annotated[str | None, typer.Option(help="YAML file with settings of the evaluation.")] = None,
    device: SamplingDevices = "auto",
    start_over: StartOver = False,
    set_: Annotated[list[str] | None, setting("protocol.replications=5 or sampling.steps=20")] = None,
) -> None:
    """Evaluate text-to-motion: FID, R-precision, MM-Dist, Diversity, MultiModality, feet, floor, smoothness, bones.

    Example: crossdiff evaluate trained/stage2 --data dataset --out evaluations/stage2
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.errors import InputError
    from crossdiff.evaluation.config import EvaluationConfig
    from crossdiff.evaluation.evaluate import evaluate as run
    from crossdiff.evaluation.plan import ProtocolError
    from crossdiff.evaluation.report import markdown
    from crossdiff.workflows.defaults import model_name, resolve_checkpoint, resolve_out
    from crossdiff.workflows.evaluators import evaluators_of

    cfg = load_config(EvaluationConfig, config, set_)
    task: Task = "lift" if cfg.sampling.mixture else "text"
    model = resolve_checkpoint(checkpoint, None, task, print_default, cfg.sampling.given_steps)
    name = name or model_name(checkpoint, model)
    folder = resolve_out(out, Path("evaluations") / name, print_default)
    devices = pick_devices(device)
    try:
        result = run(cfg, model, data, evaluators_of(data, evaluators), folder, devices, name, start_over)
    except ProtocolError as error:
        raise InputError(f"{error.problem}; this works: {_command_with(error.settings)}") from None
    typer.echo(markdown(result))
    print_summary(f"{folder}: result.json, report.md, report.html; {cfg.protocol.replications} replications")


def _command_with(settings: Mapping[str, int]) -> str:
    """The command as it was typed, with these settings, which replace earlier ones."""
    more = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    return shlex.join(["crossdiff", *sys.argv[1:], *more])
