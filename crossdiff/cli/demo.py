"""`crossdiff demo`: the whole chain on a real clip, and a page that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import Teacher
from crossdiff.cli.printing import print_default, print_stage, print_summary


def demo(
    video: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Your own clip; default: a clip that is downloaded with pip.")
    ] = None,
    caption: Annotated[str | None, typer.Option(help="What the person in your clip does.")] = None,
    out: Annotated[Path, typer.Option(help="Run folder, which also receives the page.")] = Path("runs/demo"),
    checkpoint: Teacher = None,
    steps: Annotated[int, typer.Option(help="Fine-tuning steps.")] = 400,
) -> None:
    """Run every stage on one clip with the shipped model and write OUT/index.html; takes a few minutes on two cores.

    Example: crossdiff demo --video squats.mp4 --caption "a person does squats" --out runs/squats
    """
    from crossdiff.workflows.demo import run_demo

    page, result = run_demo(video, caption, out, checkpoint, steps, print_stage, print_default)
    print_summary(f"Look at {page.resolve()}")
    result.raise_failures()
