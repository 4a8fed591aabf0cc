"""`crossdiff view`: motions on an interactive page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import summary, took


@app.command("view", no_args_is_help=True)
def view(
    motions: Annotated[
        list[str] | None,
        typer.Argument(help="Motions (.npy as sample writes them, features, labels), folders; with --run its clips."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Run whose pseudo labels to show beside their videos; the best without a clip.")
    ] = None,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The page: one file, which needs no network.")] = Path(
        "view.html"
    ),
    title: Annotated[str, typer.Option(help="The page's title.")] = "Motions",
    most: Annotated[int, typer.Option(min=1, help="Most labels to show where no clip of the run is named.")] = 4,
) -> None:
    """Write a page on which motions play side by side, to turn, zoom, scrub and slow down.

    Example: crossdiff view squats/00_a-person-squats.npy walk.npy --out page.html

    Example: crossdiff view --run runs/ucf --out labels.html
    """
    from crossdiff.cli.view_page import view_files, view_run
    from crossdiff.errors import InputError
    from crossdiff.pipeline.run import Run

    if run is not None:
        if not motions:
            took("clips", f"the best labels, {most} at most", "name some, or change --most")
        done = view_run(Run.open(run), motions or [], most, out, title)
    elif motions:
        done = view_files([Path(motion) for motion in motions], out, title)
    else:
        raise InputError("motions: expected files to show, or --run RUN, got neither")
    summary(str(done))
    done.raise_failures()
