"""`crossdiff train-evaluator`: the networks that FID and R-precision are measured with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import DEFAULT_DATASET, Dataset, Device, StartOver, config_file, setting
from crossdiff.cli.printing import print_default, print_summary


def train_evaluator(
    data: Dataset = DEFAULT_DATASET,
    part: Annotated[
        str | None, typer.Option(help="Body part: all, upper or lower; default: each of them (`tmr`: only all).")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="t2m (the field's) or tmr (contrastive); default: both.")] = None,
    config: Annotated[str, config_file("evaluator-small.yaml, evaluator.yaml (T2M's sizes)")] = "evaluator-small.yaml",
    words: Annotated[
        Path | None,
        typer.Option(help="Word vectors for t2m: GloVe as text, or an npz; default: the embedded model's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the KIND-PART folders; default: DATASET/evaluators.")
    ] = None,
    device: Device = "auto",
    start_over: StartOver = False,
    set_: Annotated[list[str] | None, setting("matching.steps=1000")] = None,
) -> None:
    """Train a dataset's evaluators, which FID and R-precision need. A stopped run is resumed by the same command.

    Example: crossdiff train-evaluator --data dataset --part all
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_device
    from crossdiff.evaluators.config import EvaluatorTraining
    from crossdiff.workflows.evaluators import train_evaluators

    def on_stage(name: str, result: object) -> None:
        print_summary(result)

    cfg = load_config(EvaluatorTraining, config, set_)
    train_evaluators(cfg, data, out, kind, part, words, pick_device(device), start_over, on_stage, print_default)
