"""`crossdiff study ablations`: the paper's table 2."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import (
    DEFAULT_DATASET,
    Dataset,
    EvaluatorFolder,
    SamplingDevices,
    config_file,
    setting,
    study_folder,
)
from crossdiff.cli.printing import print_summary


def ablations(
    data: Dataset = DEFAULT_DATASET,
    config: Annotated[str, config_file("ablations-small.yaml, ablations-paper.yaml")] = "ablations-small.yaml",
    evaluators: EvaluatorFolder = None,
    out: Annotated[Path, study_folder("models, results and tables")] = Path("ablations"),
    only: Annotated[
        list[str] | None, typer.Option(help="A row to make, such as full; repeatable; default: all.")
    ] = None,
    device: SamplingDevices = "auto",
    set_: Annotated[list[str] | None, setting("stage1.steps=100")] = None,
) -> None:
    """The paper's table 2: with and without 2D motion, half of the 3D, no shared encoder, other views, like MDM.

    Example: crossdiff study ablations --data dataset --out ablations
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.studies.ablations import AblationStudy, run_ablations
    from crossdiff.workflows.evaluators import EVALUATORS

    study = load_config(AblationStudy, config, set_)
    folder = evaluators or data / EVALUATORS
    print_summary(run_ablations(study, data, folder, out, pick_devices(device), tuple(only or ())))
