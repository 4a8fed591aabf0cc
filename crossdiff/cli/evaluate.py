"""`crossdiff evaluate`: the field's table for a model, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    from crossdiff.evaluation.config import EvaluationConfig
    from crossdiff.evaluation.evaluate import evaluate as run
    from crossdiff.evaluation.report import markdown
    from crossdiff.workflows.defaults import model_name, resolve_checkpoint, resolve_out
    from crossdiff.workflows.evaluators import evaluators_of

    cfg = load_config(EvaluationConfig, config, set_)
    model = resolve_checkpoint(checkpoint, task="lift" if cfg.sampling.mixture else "text", on_default=print_default)
    name = name or model_name(checkpoint, model)
    folder = resolve_out(out, Path("evaluations") / name, print_default)
    devices = pick_devices(device)
    result = run(cfg, model, data, evaluators_of(data, evaluators), folder, devices, name, start_over)
    typer.echo(markdown(result))
    print_summary(f"{folder}: result.json, report.md, report.html; {cfg.protocol.replications} replications")
