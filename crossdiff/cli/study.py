"""`crossdiff study`: experiments that train and evaluate several models."""

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
    Teacher,
    config_file,
    setting,
    study_folder,
)
from crossdiff.cli.printing import print_default, print_summary


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
    from crossdiff.workflows.evaluators import evaluators_of

    study = load_config(AblationStudy, config, set_)
    folder = evaluators_of(data, evaluators)
    print_summary(run_ablations(study, data, folder, out, pick_devices(device), tuple(only or ())))


def forgetting(
    runs: Annotated[list[Path], typer.Argument(help="Folders of labelled runs.")],
    data: Dataset = DEFAULT_DATASET,
    checkpoint: Teacher = None,
    config: Annotated[str, config_file("forgetting.yaml")] = "forgetting",
    evaluators: EvaluatorFolder = None,
    out: Annotated[Path, study_folder("models, results and tables")] = Path("forgetting"),
    device: SamplingDevices = "auto",
    set_: Annotated[list[str] | None, setting("finetune.steps=240")] = None,
) -> None:
    """What fine-tuning on runs teaches and what it costs known prompts, with replay, with 3D data, and with neither.

    Example: crossdiff study forgetting runs/demo runs/jhmdb --data dataset --out forgetting
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.studies.forgetting import ForgettingStudy, run_forgetting
    from crossdiff.workflows.defaults import resolve_checkpoint
    from crossdiff.workflows.evaluators import evaluators_of

    study = load_config(ForgettingStudy, config, set_)
    model = resolve_checkpoint(checkpoint, on_default=print_default)
    folder = evaluators_of(data, evaluators)
    print_summary(run_forgetting(study, runs, model, data, folder, out, pick_devices(device)))


def held_out(
    data: Dataset = DEFAULT_DATASET,
    config: Annotated[str, config_file("held-out-small.yaml")] = "held-out-small",
    evaluators: EvaluatorFolder = None,
    out: Annotated[Path, study_folder("models, runs, results and tables")] = Path("held-out"),
    device: SamplingDevices = "auto",
    set_: Annotated[list[str] | None, setting("finetune.steps=100")] = None,
) -> None:
    """Actions without 3D training data, learnt from noisy 2D: the model before and after, and one with all 3D motion.

    Example: crossdiff study held-out --data dataset --out held-out
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.studies.held_out.study import HeldOutStudy, run_held_out
    from crossdiff.workflows.evaluators import evaluators_of

    study = load_config(HeldOutStudy, config, set_)
    print_summary(run_held_out(study, data, evaluators_of(data, evaluators), out, pick_devices(device)))


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
    from crossdiff.workflows.evaluators import evaluators_of

    sweep = load_config(SamplingSweep, config, set_)
    devices = pick_devices(device)
    model = resolve_checkpoint(checkpoint, task="text", on_default=print_default)
    folder = evaluators_of(data, evaluators)
    print_summary(run_sampling_sweep(sweep, model, data, folder, out, devices, tuple(only or ())))
