"""`crossdiff evaluate`: the field's table for a model, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import model_name, pick_checkpoint, summary, took
from crossdiff.cli.prepare import DEFAULT_DATASET
from crossdiff.cli.train_evaluator import DEFAULT_EVALUATORS


@app.command()
def evaluate(
    checkpoint: Annotated[str | None, typer.Argument(help="Model to evaluate; without it the shipped one.")] = None,
    data: Annotated[Path, typer.Option(help="Dataset folder from `crossdiff prepare`.")] = DEFAULT_DATASET,
    evaluators: Annotated[
        Path | None, typer.Option(help="Folder from `crossdiff train-evaluator`; else DATASET/evaluators.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results; gone on with if it has some.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in the tables.")] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with settings of the evaluation.")] = None,
    device: Annotated[
        str,
        typer.Option(help="cpu, cuda, cuda:1 ...; several with commas, a process each; auto: the GPU if there is one."),
    ] = "auto",
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Begin anew where model, data or settings changed.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting, such as protocol.replications=5 or sampling.steps=20; repeatable."),
    ] = None,
) -> None:
    """Evaluate text-to-motion: FID, R-precision, MM-Dist, Diversity, MultiModality, feet, floor, smoothness, bones.

    Example: crossdiff evaluate trained/stage2 --data dataset --out evaluations/stage2
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.evaluation.config import EvaluationConfig
    from crossdiff.evaluation.evaluate import evaluate as run
    from crossdiff.evaluation.report import markdown

    cfg = load_config(EvaluationConfig, config, set_)
    model = pick_checkpoint(checkpoint, task="lift" if cfg.sampling.mixture else "text")
    name = name or model_name(checkpoint, model)
    if out is None:
        out = Path("evaluations") / name
        took("out", out, "name it with --out")
    devices = pick_devices(device)
    result = run(cfg, model, data, evaluators or data / DEFAULT_EVALUATORS, out, devices, name, start_over)
    typer.echo(markdown(result))
    summary(f"{out}: result.json, report.md, report.html; {cfg.protocol.replications} replications")
