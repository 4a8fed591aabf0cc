"""`crossdiff train-evaluator`: the networks that judge generated motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import summary, took
from crossdiff.cli.prepare import DEFAULT_DATASET
from crossdiff.errors import InputError

DEFAULT_EVALUATORS = "evaluators"


@app.command("train-evaluator")
def train_evaluator(
    data: Annotated[Path, typer.Option(help="Dataset folder from `crossdiff prepare`.")] = DEFAULT_DATASET,
    part: Annotated[
        str | None, typer.Option(help="all, upper or lower; every one without it (`tmr`: all alone).")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="t2m (the field's) or tmr (contrastive); both without it.")] = None,
    config: Annotated[
        str, typer.Option(help="YAML file, or a shipped one: evaluator-small.yaml, evaluator.yaml (T2M's sizes).")
    ] = "evaluator-small.yaml",
    words: Annotated[
        Path | None,
        typer.Option(help="Word vectors for t2m: GloVe in text, or an npz; the embedded model's without it."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for KIND-PART folders; else DATASET/evaluators.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...; auto: the GPU where there is one.")] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as matching.steps=1000; repeatable.")
    ] = None,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Begin anew where data, words or settings changed.")
    ] = False,
) -> None:
    """Train evaluators on a dataset: what FID and R-precision are measured with. Stopped, it goes on where it was.

    Example: crossdiff train-evaluator --data dataset --part all
    """
    from crossdiff.config import load_config
    from crossdiff.device import pick_device
    from crossdiff.evaluators.body_parts import PARTS, Part
    from crossdiff.evaluators.evaluators import Kind
    from crossdiff.evaluators.training import EvaluatorTraining
    from crossdiff.evaluators.training import train_evaluator as train

    if part is not None and part not in PARTS:
        raise InputError(f"--part: expected {', '.join(PARTS)}, got {part!r}")
    if kind is not None and kind not in ("t2m", "tmr"):
        raise InputError(f"--kind: expected t2m or tmr, got {kind!r}")
    if words is not None and kind is None:
        kind = "t2m"
        took("kind", kind, "--words are its own")
    cfg, on = load_config(EvaluatorTraining, config, set_), pick_device(device)
    if out is None:
        out = data / DEFAULT_EVALUATORS
        took("out", out, "name it with --out")
    chosen: list[tuple[Kind, Part]] = []
    if kind != "tmr":
        chosen += [("t2m", p) for p in PARTS if part in (None, p)]
    if kind != "t2m":
        chosen += [("tmr", p) for p in PARTS if p == (part or "all")]
    for one_kind, one_part in chosen:
        summary(str(train(cfg, data, out / f"{one_kind}-{one_part}", one_kind, one_part, words, on, start_over)))
