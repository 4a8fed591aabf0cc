"""`crossdiff distil`: a model that samples in a few passes of its network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import (
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


def distil(
    checkpoint: Annotated[
        str | None, typer.Option(help="Model to distil; default: the shipped one, of stage I with mixture=true.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Dataset folder whose captions are distilled; default: all that the model has learnt."),
    ] = None,
    out: Annotated[Path | None, study_folder("model and training state")] = None,
    config: Annotated[str, config_file("distil.yaml")] = "distil",
    devices: Devices = None,
    num_nodes: NumNodes = None,
    logger: LoggerChoice = None,
    start_over: StartOver = False,
    set_: Annotated[list[str] | None, setting("mixture=true")] = None,
) -> None:
    """Distil a model, with guidance, to four steps of sampling. A stopped run is resumed by the same command.

    Example: crossdiff distil --checkpoint trained/stage2 --out trained/stage2-4step

    Example: crossdiff distil --checkpoint trained/stage1 --out trained/stage1-4step --set mixture=true
    """
    from crossdiff.config import load_config
    from crossdiff.training.distil import distil as distil_model
    from crossdiff.training.distil_config import DistilConfig
    from crossdiff.workflows.defaults import resolve_checkpoint, resolve_out

    cfg = load_config(DistilConfig, config, [*(set_ or []), *training_settings(devices, num_nodes, logger=logger)])
    teacher = resolve_checkpoint(checkpoint, None, "lift" if cfg.mixture else "text", print_default)
    folder = resolve_out(out, Path("trained") / f"{teacher.name}-{cfg.sampling_steps}step", print_default)
    train_and_print(folder, lambda: distil_model(cfg, teacher, folder, data, start_over))
