"""`crossdiff convert-pose`: published ViTPose checkpoints for the vitpose backend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import new_folder, summary


@app.command("convert-pose", no_args_is_help=True)
def convert_pose(
    weights: Annotated[Path, typer.Argument(help="ViTPose of mmpose or of its authors, .pth or .safetensors.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the network; new or empty.")] = None,
) -> None:
    """Turn a ViTPose checkpoint into a folder for `extract-2d --backend vitpose`.

    Sizes are read from the weights, and every name and shape must fit. Nothing in the file is unpickled.

    Example: crossdiff convert-pose vitpose-b.pth --out pose/vitpose-b
    """
    from crossdiff.pipeline.backends import convert

    out = new_folder(out, weights)
    converted = convert.convert_pose(weights, out)
    summary(f"{out}: {converted}; use it with --backend vitpose --pose-set weights={out}")
