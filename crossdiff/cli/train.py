"""`crossdiff train`: stage I and stage II on 3D data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.options import (
    DEFAULT_DATASET,
    MAX_SEED,
    Devices,
    LoggerChoice,
    NumNodes,
    StartOver,
    config_file,
    setting,
    study_folder,
    training_settings,
)
from crossdiff.cli.printing import print_default, train_and_print


@help_alone
def train(
    config: Annotated[str, config_file("stage1.yaml, stage1-small.yaml, stage2.yaml")],
    data: Annotated[Path | None, typer.Option(help="Dataset folder from `crossdiff prepare`.")] = None,
    out: Annotated[Path | None, study_folder("model and training state")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Model to start from; stage II needs one.")] = None,
    extra_2d: Annotated[
        Path | None, typer.Option("--extra-2d", help="Run whose 2D clips are mixed in, without 3D labels.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, help="Of new weights, batches and noise; default: the config's.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: the GPU if there is one.")
    ] = None,
    devices: Devices = None,
    num_nodes: NumNodes = None,
    logger: LoggerChoice = None,
    start_over: StartOver = False,
    set_: Annotated[list[str] | None, setting("steps=1000")] = None,
) -> None:
    """Train a model on 3D motion with captions; no videos are needed. A stopped run is resumed by the same command.

    Example: crossdiff train --config stage1.yaml --data dataset --out trained/stage1
    """
    from crossdiff.checkpoint import find_checkpoint
    from crossdiff.config import load_config
    from crossdiff.training.config import TrainConfig
    from crossdiff.training.stages import train as train_stage
    from crossdiff.workflows.defaults import resolve_out

    cfg = load_config(
        TrainConfig,
        config,
        [*(set_ or []), *training_settings(devices, num_nodes, device=device, seed=seed, logger=logger)],
    )
    if data is None:
        data = DEFAULT_DATASET
        print_default("data", data, "where `crossdiff prepare` writes")
    folder = resolve_out(out, Path("trained") / f"stage{cfg.stage}", print_default)
    source = None if checkpoint is None else find_checkpoint(checkpoint)
    train_and_print(folder, lambda: train_stage(cfg, data, folder, source, start_over, extra_2d))
