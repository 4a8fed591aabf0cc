"""`crossdiff view`: motions on an interactive page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.printing import print_default, print_summary


@help_alone
def view(
    motions: Annotated[
        list[str] | None,
        typer.Argument(
            help="Motions (.npy as sample writes them, features, labels) or folders; with --run: names of its clips."
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Run whose pseudo labels to show beside their videos; the best ones if no clip is named."),
    ] = None,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The page: one file, which needs no network.")] = Path(
        "view.html"
    ),
    title: Annotated[str, typer.Option(help="The page's title.")] = "Motions",
    most: Annotated[
        int, typer.Option("--most", min=1, help="With --run: largest number of labels if no clip is named.")
    ] = 4,
) -> None:
    """Write a page that plays motions side by side, to turn, zoom, scrub and slow down.

    Example: crossdiff view squats/00_a-person-squats.npy walk.npy --out page.html

    Example: crossdiff view --run runs/ucf --out labels.html
    """
    from crossdiff.workflows.view import view_motions

    done = view_motions(motions or [], out, title, run, most, print_default)
    print_summary(done)
    done.raise_failures()
