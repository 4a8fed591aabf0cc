"""`crossdiff finetune`: learn from a run's wild clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import (
    Devices,
    LoggerChoice,
    MixedDataset,
    NumNodes,
    RunFolder,
    StartOver,
    Teacher,
    config_file,
    setting,
    training_settings,
)
from crossdiff.cli.printing import print_default, train_and_print


def finetune(
    run: RunFolder = None,
    checkpoint: Teacher = None,
    data: MixedDataset = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the model; default: RUN/finetuned.")] = None,
    config: Annotated[str, config_file("finetune.yaml")] = "finetune",
    devices: Devices = None,
    num_nodes: NumNodes = None,
    logger: LoggerChoice = None,
    start_over: StartOver = False,
    set_: Annotated[list[str] | None, setting("steps=500")] = None,
) -> None:
    """Fine-tune the model on a run's clips and pseudo labels. A stopped run is resumed by the same command.

    Example: crossdiff finetune runs/ucf --data dataset --set steps=5000
    """
    from crossdiff.config import load_config
    from crossdiff.training.config import FinetuneConfig
    from crossdiff.training.replay import protection
    from crossdiff.training.stages import finetune as finetune_run
    from crossdiff.workflows.defaults import open_run, resolve_checkpoint

    cfg = load_config(FinetuneConfig, config, [*(set_ or []), *training_settings(devices, num_nodes, logger=logger)])
    opened = open_run(run, print_default)
    start = resolve_checkpoint(checkpoint, on_default=print_default)
    print_default(
        "config", f"{config}: {cfg.steps} steps of {cfg.batch_size} clips", "change it with --config or --set"
    )
    print_default("keeps", *protection(cfg.replay, start, data))
    folder = out or opened.finetuned
    train_and_print(folder, lambda: finetune_run(cfg, opened.root, start, folder, data, start_over))
