"""`crossdiff evaluate-lift`: how near lifted motion is to the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import model_name, pick_checkpoint, summary, took
from crossdiff.cli.prepare import DEFAULT_DATASET


@app.command("evaluate-lift")
def evaluate_lift(
    checkpoint: Annotated[str | None, typer.Argument(help="Model to evaluate; without it the shipped one.")] = None,
    data: Annotated[Path, typer.Option(help="Dataset folder from `crossdiff prepare`.")] = DEFAULT_DATASET,
    out: Annotated[Path | None, typer.Option(help="Folder for results.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in the report.")] = None,
    config: Annotated[str, typer.Option(help="YAML file with settings, or a shipped one.")] = "evaluate-lift.yaml",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...; auto: the GPU if there is one.")] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as clips=20 or noise.strength=2; repeatable.")
    ] = None,
) -> None:
    """Lift held-out motion that is known in 3D: joint errors beside baselines, by view and by a detector's faults.

    Example: crossdiff evaluate-lift trained/stage1 --data dataset --out evaluations/lift
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_device
    from crossdiff.studies.lift.accuracy import study_lifting
    from crossdiff.studies.lift.config import LiftStudyConfig
    from crossdiff.studies.lift.report import markdown, write_lift_report

    cfg = load_config(LiftStudyConfig, config, set_)
    model = pick_checkpoint(checkpoint)
    name = name or model_name(checkpoint, model)
    if out is None:
        out = Path("evaluations") / f"{name}-lift"
        took("out", out, "name it with --out")
    result, examples = study_lifting(cfg, model, data, pick_device(device), name)
    write_lift_report(result, examples, out)
    typer.echo(markdown(result))
    pictures = "accuracy.png" + (", examples.png and .mp4" if examples else "")
    summary(f"{out}: result.json, report.md, report.html, {pictures}; {result.dataset.clips} clips")
