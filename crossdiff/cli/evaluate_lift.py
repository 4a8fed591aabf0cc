"""`crossdiff evaluate-lift`: accuracy of lifted motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import (
    DEFAULT_DATASET,
    Dataset,
    Device,
    EvaluatedModel,
    ModelName,
    ResultFolder,
    config_file,
    setting,
)
from crossdiff.cli.printing import print_default, print_summary


def evaluate_lift(
    checkpoint: EvaluatedModel = None,
    data: Dataset = DEFAULT_DATASET,
    out: ResultFolder = None,
    name: ModelName = None,
    config: Annotated[str, config_file("evaluate-lift.yaml")] = "evaluate-lift.yaml",
    device: Device = "auto",
    set_: Annotated[list[str] | None, setting("clips=20 or noise.strength=2")] = None,
) -> None:
    """Lift held-out motion with known 3D joints: errors beside baselines, by view and by detector noise.

    Example: crossdiff evaluate-lift trained/stage1 --data dataset --out evaluations/lift
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_device
    from crossdiff.studies.lift.accuracy import study_lifting
    from crossdiff.studies.lift.config import LiftStudyConfig
    from crossdiff.studies.lift.report import markdown, write_lift_report
    from crossdiff.workflows.defaults import model_name, resolve_checkpoint, resolve_out

    cfg = load_config(LiftStudyConfig, config, set_)
    model = resolve_checkpoint(checkpoint, on_default=print_default)
    name = name or model_name(checkpoint, model)
    folder = resolve_out(out, Path("evaluations") / f"{name}-lift", print_default)
    result, examples = study_lifting(cfg, model, data, pick_device(device), name)
    write_lift_report(result, examples, folder)
    typer.echo(markdown(result))
    pictures = "accuracy.png" + (", examples.png and .mp4" if examples else "")
    print_summary(f"{folder}: result.json, report.md, report.html, {pictures}; {result.dataset.clips} clips")
