"""`crossdiff convert-pose`: published ViTPose checkpoints for the vitpose backend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import summary, took


@app.command("convert-pose", no_args_is_help=True)
def convert_pose(
    weights: Annotated[Path, typer.Argument(help="ViTPose of mmpose or of its authors, .pth or .safetensors.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the network; new or empty.")] = None,
) -> None:
    """Turn a ViTPose checkpoint into a folder for `extract-2d --backend vitpose`.

    Sizes are read from the weights, and every name and shape must fit. Nothing in the file is unpickled.

    Example: crossdiff convert-pose vitpose-b.pth --out pose/vitpose-b
    """
    from crossdiff.errors import InputError
    from crossdiff.pipeline.backends import convert

    if out is None:
        out = Path("trained") / weights.stem
        took("out", out, "name it with --out")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; give a new folder with --out")
    converted = convert.convert_pose(weights, out)
    summary(f"{out}: {converted}; use it with --backend vitpose --pose-set weights={out}")
