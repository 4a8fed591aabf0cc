"""What the commands share: the summary line, and saying which defaults were taken."""

from __future__ import annotations

import typer


def took(name: str, value: object, why: str) -> None:
    """Say which default a command took, e.g. `run = runs/0003 (the latest run)`."""
    typer.secho(f"  {name} = {value}  ({why})", dim=True)


def summary(text: str) -> None:
    """The one line that ends a command."""
    typer.secho(text, fg=typer.colors.GREEN)
