"""Output of commands: the defaults that were taken, a line per stage, and the summary. File names are made safe."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from crossdiff.wording import printable

# How launchers number the processes of one training run on a machine, and the machines.
_RANKS = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK")


def print_text(text: str, **style: Any) -> None:
    """Print text that may contain names of files. style: keywords of `typer.secho`."""
    typer.secho(printable(text), **style)


def print_default(name: str, value: object, why: str) -> None:
    """Print a default that was taken, such as `run = runs/0003  (the latest run)`."""
    if _is_first_process():
        print_text(f"  {name} = {value}  ({why})", dim=True)


def print_summary(result: object) -> None:
    """Print the last line of a command."""
    if _is_first_process():
        print_text(str(result), fg=typer.colors.GREEN)


def train_and_print(folder: Path, train: Callable[[], object]) -> None:
    """Run a training into a folder and print its last line, which says if it had been finished before."""
    from crossdiff.training.record import saved_at

    before = saved_at(folder)
    result = train()
    print_summary(f"nothing to do: {result}" if before is not None and before == saved_at(folder) else result)


def print_stage(stage: str, result: object) -> None:
    """Print the summary of one of several stages."""
    print_summary(f"{stage}: {result}")


def _is_first_process() -> bool:
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)
