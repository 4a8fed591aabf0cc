"""What commands print: the defaults that were taken, a line per stage, and the summary."""

from __future__ import annotations

import os

import typer

# How launchers number the processes of one training run on a machine, and the machines.
_RANKS = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK")


def print_default(name: str, value: object, why: str) -> None:
    """A default that was taken, such as `run = runs/0003  (the latest run)`."""
    if _is_first_process():
        typer.secho(f"  {name} = {value}  ({why})", dim=True)


def print_summary(result: object) -> None:
    """The line that ends a command."""
    if _is_first_process():
        typer.secho(str(result), fg=typer.colors.GREEN)


def print_stage(stage: str, result: object) -> None:
    """The summary of one stage of several."""
    print_summary(f"{stage}: {result}")


def _is_first_process() -> bool:
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)
