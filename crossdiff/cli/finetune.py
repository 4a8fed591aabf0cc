"""`crossdiff finetune`: learn from a run's wild clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import Devices, NumNodes, device_settings, open_run, pick_checkpoint, summary, took


@app.command()
def finetune(
    run: Annotated[Path | None, typer.Argument(help="Run folder; without it the latest under runs/.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Model to start from; without it the shipped one.")] = None,
    data: Annotated[Path | None, typer.Option(help="3D dataset to mix in, so that old motions are kept.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the model; without it RUN/finetuned.")] = None,
    config: Annotated[str, typer.Option(help="YAML file, or a shipped one.")] = "finetune",
    devices: Devices = None,
    num_nodes: NumNodes = None,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Begin anew where labels or settings changed.")
    ] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="One setting, such as steps=500; repeatable.")] = None,
) -> None:
    """Fine-tune the model on a run's clips and pseudo labels. Stopped at any time, it goes on where it was.

    Example: crossdiff finetune runs/ucf --data dataset --set steps=5000
    """
    from crossdiff.config import load_config
    from crossdiff.training.config import FinetuneConfig
    from crossdiff.training.stages import finetune as finetune_run

    cfg = load_config(FinetuneConfig, config, [*(set_ or []), *device_settings(devices, num_nodes)])
    opened = open_run(run)
    start = pick_checkpoint(checkpoint)
    took("config", f"{config}: {cfg.steps} steps of {cfg.batch_size} clips", "change it with --config or --set")
    if data is None:
        took("data", "none", "wild clips alone; mix 3D motion in with --data DATASET")
    summary(str(finetune_run(cfg, opened.root, start, out or opened.finetuned, data, start_over)))
