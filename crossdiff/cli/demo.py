"""`crossdiff demo`: the whole chain on a real clip, and a page that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import pick_checkpoint, summary, took


@app.command()
def demo(
    video: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Your own clip; without it one that is downloaded with pip.")
    ] = None,
    caption: Annotated[str | None, typer.Option(help="What the person in your clip does.")] = None,
    out: Annotated[Path, typer.Option(help="Run folder, which also gets the page.")] = Path("runs/demo"),
    checkpoint: Annotated[str | None, typer.Option(help="Stage-I model; without it the shipped one.")] = None,
    steps: Annotated[int, typer.Option(help="Fine-tuning steps.")] = 120,
) -> None:
    """Run every stage on one clip with the shipped model and write OUT/index.html; takes a few minutes on two cores.

    Example: crossdiff demo --video squats.mp4 --caption "a person does squats" --out runs/squats
    """
    from crossdiff.cli.demo_clip import fetch_demo_clip
    from crossdiff.cli.demo_page import DEMO_CAPTIONS, make_demo
    from crossdiff.pipeline.inputs import find_videos

    captions = [caption] if caption else []
    if video is None:
        video = fetch_demo_clip()
        took("video", video, "the demo clip")
        captions = captions or list(DEMO_CAPTIONS)
    find_videos([video])
    model = pick_checkpoint(checkpoint)
    page, result = make_demo(video, captions, out, model, steps, lambda stage, what: summary(f"{stage}: {what}"))
    summary(f"Look at {page.resolve()}")
    result.raise_failures()
