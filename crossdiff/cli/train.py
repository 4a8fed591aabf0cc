"""`crossdiff train`: stage I and stage II on 3D data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import Devices, NumNodes, device_settings, summary, took
from crossdiff.cli.prepare import DEFAULT_DATASET


@app.command(no_args_is_help=True)
def train(
    config: Annotated[
        str, typer.Option(help="YAML file, or a shipped one: stage1.yaml, stage1-small.yaml, stage2.yaml.")
    ],
    data: Annotated[Path | None, typer.Option(help="Dataset folder from `crossdiff prepare`.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for model and training state; resumed if it has one.")
    ] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Model to go on from; stage II needs one.")] = None,
    extra_2d: Annotated[
        Path | None, typer.Option("--extra-2d", help="Run whose 2D clips are mixed in, without 3D labels.")
    ] = None,
    devices: Devices = None,
    num_nodes: NumNodes = None,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Begin anew where data or settings changed.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as steps=1000; repeatable.")
    ] = None,
) -> None:
    """Train a model on 3D motion with captions; no videos are needed. Stopped at any time, it goes on where it was.

    Example: crossdiff train --config stage1.yaml --data dataset --out trained/stage1
    """
    from crossdiff.checkpoint import find_checkpoint
    from crossdiff.config import load_config
    from crossdiff.training.config import TrainConfig
    from crossdiff.training.stages import train as train_stage

    cfg = load_config(TrainConfig, config, [*(set_ or []), *device_settings(devices, num_nodes)])
    if data is None:
        data = DEFAULT_DATASET
        took("data", data, "where `crossdiff prepare` writes")
    if out is None:
        out = Path("trained") / f"stage{cfg.stage}"
        took("out", out, "name it with --out")
    source = None if checkpoint is None else find_checkpoint(checkpoint)
    summary(str(train_stage(cfg, data, out, source, start_over, extra_2d)))
