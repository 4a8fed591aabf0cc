"""What the commands share: the summary line, and saying which defaults were taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from crossdiff.checkpoint import Task
    from crossdiff.pipeline.run import Run

# Larger ones are refused by some of the libraries that take a seed.
MOST_SEED = 2**32 - 1


# How launchers number the processes of one training run on a machine, and the machines.
_RANKS = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK")

Devices = Annotated[int | None, typer.Option(help="GPUs (or CPU processes) per machine that share a batch.")]
NumNodes = Annotated[int | None, typer.Option(help="Machines that share a batch.")]

# What `extract-2d` and `import-2d` say about captions.
Captions = Annotated[
    Path | None, typer.Option(help="CSV file with the columns video,caption, and start,end if wanted.")
]

# What `extract-2d` and `run` say about poses and engines.
Backend = Annotated[str, typer.Option(help="Pose estimator: mediapipe, vitpose or mmpose (docs/pose.md).")]
PoseSet = Annotated[
    list[str] | None,
    typer.Option("--pose-set", help="A setting of the pose estimator, such as threshold=0.5; repeatable."),
]
EngineName = Annotated[str, typer.Option("--engine", help="local (processes of this machine) or ray (a cluster).")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes, or Ray actors; without it as many as the cores bear.")
]
TimeLimit = Annotated[float, typer.Option(min=1, help="Seconds without a new frame after which a video hangs.")]
GpusPerActor = Annotated[float, typer.Option("--num-gpus-per-actor", min=0, help="Of Ray: GPUs, or a share of one.")]
RayAddress = Annotated[str | None, typer.Option(help="Of Ray: the cluster's head; without it Ray starts here.")]


def device_settings(devices: int | None, num_nodes: int | None) -> list[str]:
    """The options as overrides of a training configuration."""
    given = {"devices": devices, "num_nodes": num_nodes}
    return [f"{name}={value}" for name, value in given.items() if value is not None]


def _is_first_process() -> bool:
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)


def took(name: str, value: object, why: str) -> None:
    """Say which default a command took, e.g. `run = runs/0003 (the latest run)`."""
    if _is_first_process():
        typer.secho(f"  {name} = {value}  ({why})", dim=True)


def summary(text: str) -> None:
    """The one line that ends a command."""
    if _is_first_process():
        typer.secho(text, fg=typer.colors.GREEN)


def new_folder(out: Path | None, source: Path) -> Path:
    """The folder that was named, or one after the source's name; InputError where something lies there."""
    from crossdiff.errors import InputError

    if out is None:
        out = Path("trained") / source.stem
        took("out", out, "name it with --out")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; give a new folder with --out")
    return out


def model_name(checkpoint: str | None, model: Path) -> str:
    """What a model is called in tables: by the last two parts of what was typed, else by its folder."""
    typed = [part for part in Path(checkpoint or model.name).parts[-2:] if part not in ("/", "..", ".")]
    return "-".join(typed or model.resolve().parts[-2:])


def open_run(run: Path | None) -> Run:
    """The run that was named, or the latest one."""
    from crossdiff.pipeline.run import Run

    opened = Run.open(run)
    if run is None:
        took("run", opened.root, "the latest run")
    return opened


def pick_checkpoint(checkpoint: str | None, run: Run | None = None, task: Task = "lift") -> Path:
    """The checkpoint that was named; else the run's fine-tuned model where it has one; else the task's shipped one."""
    from crossdiff.checkpoint import CONFIG, WEIGHTS, find_checkpoint, shipped_model

    if checkpoint is not None:
        return find_checkpoint(checkpoint)
    if run is not None and all((run.finetuned / name).is_file() for name in (WEIGHTS, CONFIG)):
        took("checkpoint", run.finetuned, "the run's fine-tuned model")
        return run.finetuned
    found = shipped_model(task)
    took("checkpoint", found.name, "the shipped model")
    return found
