"""`crossdiff render`: motions as a video, a GIF or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.printing import print_summary


@help_alone
def render(
    motions: Annotated[
        list[Path],
        typer.Argument(
            metavar="MOTION...", help="Motions (.npy as sample writes them, features, .npz labels), or folders of them."
        ),
    ],
    out: Annotated[
        Path, typer.Option(dir_okay=False, help="File to write: .mp4, .gif, or .png for moments side by side.")
    ],
    titles: Annotated[
        list[str] | None,
        typer.Option(
            "--title", help="Title of each motion, in order; default: the caption beside the file, or its name."
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=32, help="Pixels along each panel; default: 480 (.mp4), 320 (.gif) or 240 (.png)."),
    ] = None,
    moments: Annotated[int | None, typer.Option(min=1, help=".png: moments of each motion; default: 6.")] = None,
) -> None:
    """Draw motions side by side, in step, as a video or a GIF; or moments of each in a row, as a picture.

    Example: crossdiff render squats/00_a-person-squats.npy walk.npy --out both.mp4

    Example: crossdiff render walk.npy --out walk.gif --title "a slow walk"

    Example: crossdiff render samples/ --out sheet.png --moments 8
    """
    from crossdiff.viewing.render import render_files

    done = render_files(motions, out, titles or [], size, moments)
    print_summary(done)
    done.raise_failures()
