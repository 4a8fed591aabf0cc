"""`crossdiff study ablations`, `held-out` and `sampling`: experiments over several models or ways to sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import summary
from crossdiff.cli.prepare import DEFAULT_DATASET
from crossdiff.cli.train_evaluator import DEFAULT_EVALUATORS

study = typer.Typer(help="Experiments that train and evaluate several models.", no_args_is_help=True)
app.add_typer(study, name="study")


@study.command()
def ablations(
    data: Annotated[Path, typer.Option(help="Dataset folder from `crossdiff prepare`.")] = DEFAULT_DATASET,
    config: Annotated[
        str, typer.Option(help="YAML file, or a shipped one: ablations-small.yaml, ablations-paper.yaml.")
    ] = "ablations-small.yaml",
    evaluators: Annotated[
        Path | None, typer.Option(help="Folder from `crossdiff train-evaluator`; else DATASET/evaluators.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for models, results and tables; gone on with.")] = Path("ablations"),
    only: Annotated[list[str] | None, typer.Option(help="A row to make, such as full; repeatable; else all.")] = None,
    device: Annotated[
        str, typer.Option(help="Where motion is sampled: cpu, cuda ...; several with commas, a process each; or auto.")
    ] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as stage1.steps=100; repeatable.")
    ] = None,
) -> None:
    """The paper's table 2: with and without 2D motion, half of the 3D, no shared encoder, other views, like MDM.

    Example: crossdiff study ablations --data dataset --out ablations
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.studies.ablations import AblationStudy, run_ablations

    chosen = load_config(AblationStudy, config, set_)
    devices = pick_devices(device)
    folder = evaluators or data / DEFAULT_EVALUATORS
    summary(str(run_ablations(chosen, data, folder, out, devices, tuple(only or ()))))


@study.command()
def held_out(
    data: Annotated[Path, typer.Option(help="Dataset folder from `crossdiff prepare`.")] = DEFAULT_DATASET,
    config: Annotated[str, typer.Option(help="YAML file, or a shipped one: held-out-small.yaml.")] = "held-out-small",
    evaluators: Annotated[
        Path | None, typer.Option(help="Folder from `crossdiff train-evaluator`; else DATASET/evaluators.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for models, runs, results and tables; gone on with.")] = Path(
        "held-out"
    ),
    device: Annotated[
        str, typer.Option(help="Where motion is sampled: cpu, cuda ...; several with commas, a process each; or auto.")
    ] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as finetune.steps=100; repeatable.")
    ] = None,
) -> None:
    """Actions whose 3D motion was never seen, learnt from noisy 2D: before, after, and with all 3D motion.

    Example: crossdiff study held-out --data dataset --out held-out
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.studies.held_out.study import HeldOutStudy, run_held_out

    chosen = load_config(HeldOutStudy, config, set_)
    devices = pick_devices(device)
    summary(str(run_held_out(chosen, data, evaluators or data / DEFAULT_EVALUATORS, out, devices)))


@study.command()
def sampling(
    checkpoint: Annotated[str | None, typer.Argument(help="Model to sample with; without it the shipped one.")] = None,
    data: Annotated[Path, typer.Option(help="Dataset folder from `crossdiff prepare`.")] = DEFAULT_DATASET,
    config: Annotated[str, typer.Option(help="YAML file, or a shipped one: sampling-sweep.yaml.")] = "sampling-sweep",
    evaluators: Annotated[
        Path | None, typer.Option(help="Folder from `crossdiff train-evaluator`; else DATASET/evaluators.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for results, table and plot; gone on with.")] = Path("sampling"),
    only: Annotated[
        list[str] | None, typer.Option(help="A solver, or `reference`: what to make now; repeatable; else all.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="Where motion is sampled: cpu, cuda ...; several with commas, a process each; or auto.")
    ] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as evaluation.split=test; repeatable.")
    ] = None,
) -> None:
    """Solvers, steps and guidance: FID and R-precision beside time, and 1000 steps of DDPM to compare with.

    Example: crossdiff study sampling --data dataset --out sampling
    """
    from crossdiff.cli.common import pick_checkpoint
    from crossdiff.config import load_config
    from crossdiff.device import pick_devices
    from crossdiff.studies.sampling_sweep import SamplingSweep, run_sampling_sweep

    chosen = load_config(SamplingSweep, config, set_)
    devices = pick_devices(device)
    folder = evaluators or data / DEFAULT_EVALUATORS
    model = pick_checkpoint(checkpoint, task="text")
    summary(str(run_sampling_sweep(chosen, model, data, folder, out, devices, tuple(only or ()))))
