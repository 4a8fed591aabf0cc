"""What the commands share: the summary line, and saying which defaults were taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from crossdiff.pipeline.run import Run

# Larger ones are refused by some of the libraries that take a seed.
MOST_SEED = 2**32 - 1


def took(name: str, value: object, why: str) -> None:
    """Say which default a command took, e.g. `run = runs/0003 (the latest run)`."""
    typer.secho(f"  {name} = {value}  ({why})", dim=True)


def summary(text: str) -> None:
    """The one line that ends a command."""
    typer.secho(text, fg=typer.colors.GREEN)


def open_run(run: Path | None) -> Run:
    """The run that was named, or the latest one."""
    from crossdiff.pipeline.run import Run

    opened = Run.open(run)
    if run is None:
        took("run", opened.root, "the latest run")
    return opened


def pick_checkpoint(checkpoint: str | None, run: Run | None = None) -> Path:
    """The checkpoint that was named; else the run's fine-tuned model where it has one; else the shipped model."""
    from crossdiff.checkpoint import CONFIG, WEIGHTS, find_checkpoint, shipped_model

    if checkpoint is not None:
        return find_checkpoint(checkpoint)
    if run is not None and all((run.finetuned / name).is_file() for name in (WEIGHTS, CONFIG)):
        took("checkpoint", run.finetuned, "the run's fine-tuned model")
        return run.finetuned
    found = shipped_model()
    took("checkpoint", found.name, "the shipped model")
    return found
