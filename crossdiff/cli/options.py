"""Options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

# Some libraries refuse larger seeds.
MAX_SEED = 2**32 - 1
DEFAULT_DATASET = Path("dataset")

# Runs.
RunFolder = Annotated[Path | None, typer.Argument(help="Run folder; default: the latest under runs/.")]
NewRun = Annotated[
    Path | None,
    typer.Option("--out", help="Run folder; an existing run is resumed; default: a new one under runs/."),
]
RunOfInputs = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Run folder; an existing run is resumed; default: the latest run of these inputs, else a new one.",
    ),
]

# Videos and poses.
Captions = Annotated[
    Path | None,
    typer.Option("--captions", help="CSV file with the columns video,caption and optionally start,end, track and fps."),
]
Backend = Annotated[str, typer.Option("--backend", help="Pose estimator: mediapipe, vitpose or mmpose (docs/pose.md).")]
PoseSet = Annotated[
    list[str] | None,
    typer.Option("--pose-set", help="A setting of the pose estimator, such as threshold=0.5; repeatable."),
]
TrueRate = Annotated[
    float | None,
    typer.Option("--fps", min=1, max=1000, help="True frame rate of videos with wrong time stamps or slow motion."),
]
WholeOnly = Annotated[
    bool, typer.Option("--whole-only", help="Refuse damaged videos; default: use the frames that decode.")
]
EngineName = Annotated[str, typer.Option("--engine", help="local (processes of this machine) or ray (a cluster).")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes, or Ray actors; default: as many as the cores allow."),
]
Processes = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes, if the work is worth starting them; default: one per core."),
]
TimeLimit = Annotated[
    float, typer.Option("--time-limit", min=1, help="Seconds without a new frame after which a video counts as hung.")
]
GpusPerActor = Annotated[
    float, typer.Option("--num-gpus-per-actor", min=0, help="Ray: GPUs per actor, or a fraction of one.")
]
RayAddress = Annotated[
    str | None, typer.Option("--ray-address", help="Ray: address of the cluster's head; default: start Ray here.")
]

# Data and models.
Dataset = Annotated[Path, typer.Option("--data", help="Dataset folder from `crossdiff prepare`.")]
MixedDataset = Annotated[
    Path | None, typer.Option("--data", help="3D dataset to mix into fine-tuning, so that known motions are kept.")
]
EvaluatorFolder = Annotated[
    Path | None,
    typer.Option("--evaluators", help="Folder from `crossdiff train-evaluator`; default: DATASET/evaluators."),
]
Teacher = Annotated[str | None, typer.Option("--checkpoint", help="Stage-I model; default: the shipped one.")]
EvaluatedModel = Annotated[str | None, typer.Argument(help="Model to evaluate; default: the shipped one.")]
ResultFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder for the results; an evaluation in it is resumed.")
]
ModelName = Annotated[str | None, typer.Option("--name", help="The model's name in the tables.")]
NewFolder = Annotated[Path | None, typer.Option("--out", help="Folder for the result; new or empty.")]

# Where work is done.
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, ...; auto: the GPU if there is one.")]
SamplingDevices = Annotated[
    str,
    typer.Option(
        "--device",
        help="Where motion is sampled: cpu, cuda, cuda:1, ...; several, separated by commas, work in one process each; "
        "auto: the GPU if there is one.",
    ),
]
Devices = Annotated[
    int | None, typer.Option("--devices", help="GPUs (or CPU processes) per machine that share a batch.")
]
NumNodes = Annotated[int | None, typer.Option("--num-nodes", help="Machines that share a batch.")]
LoggerChoice = Annotated[
    str | None,
    typer.Option(
        "--logger",
        help="Where losses are shown besides loss.csv: tensorboard, wandb, or csv: nowhere; default: the config's.",
    ),
]
StartOver = Annotated[
    bool, typer.Option("--start-over", help="Start from the beginning if inputs or settings have changed.")
]


def setting(example: str) -> Any:
    """The option --set, which overrides values of a configuration."""
    return typer.Option("--set", help=f"One setting, such as {example}; repeatable.")


def config_file(shipped: str) -> Any:
    """The option --config; `shipped`: names of the configurations that come with the package."""
    return typer.Option("--config", help=f"YAML file, or a shipped one: {shipped}.")


def study_folder(holds: str) -> Any:
    """The option --out of long work that can be resumed."""
    return typer.Option("--out", help=f"Folder for {holds}; work found in it is resumed.")


def training_settings(devices: int | None, num_nodes: int | None, **given: str | int | None) -> list[str]:
    """Options of training commands as overrides of its configuration; given: others, by the names of its fields."""
    values = {"devices": devices, "num_nodes": num_nodes, **given}
    return [f"{name}={value}" for name, value in values.items() if value is not None]
