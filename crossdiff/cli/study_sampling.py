"""`crossdiff study sampling`: quality and time of solvers, steps and guidance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import (
    DEFAULT_DATASET,
    Dataset,
    EvaluatedModel,
    EvaluatorFolder,
    SamplingDevices,
    config_file,
    setting,
    study_folder,
)
from crossdiff.cli.printing import print_default, print_summary


def sampling(
    checkpoint: EvaluatedModel = None,
    data: Dataset = DEFAULT_DATASET,
    config: Annotated[str, config_file("sampling-sweep.yaml")] = "sampling-sweep",
    evaluators: EvaluatorFolder = None,
    out: Annotated[Path, study_folder("results, table and plot")] = Path("sampling"),
    only: Annotated[
        list[str] | None, typer.Option(help="A solver, or `reference`, to evaluate now; repeatable; default: all.")
    ] = None,
    device: SamplingDevices = "auto",
    set_: Annotated[list[str] | None, setting("evaluation.split=test")] = None,
) -> None:
    """Solvers, steps and guidance: FID, R-precision and time, with 1000 steps of DDPM for comparison.

    Example: crossdiff study sampling --data dataset --out sampling
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.studies.sampling_sweep import SamplingSweep, run_sampling_sweep
    from crossdiff.workflows.defaults import resolve_checkpoint
    from crossdiff.workflows.evaluators import EVALUATORS

    sweep = load_config(SamplingSweep, config, set_)
    devices = pick_devices(device)
    folder = evaluators or data / EVALUATORS
    model = resolve_checkpoint(checkpoint, task="text", on_default=print_default)
    print_summary(run_sampling_sweep(sweep, model, data, folder, out, devices, tuple(only or ())))
