"""`crossdiff convert-pose`: published ViTPose checkpoints for the vitpose backend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.options import NewFolder
from crossdiff.cli.printing import print_default, print_summary


@help_alone
def convert_pose(
    weights: Annotated[Path, typer.Argument(help="ViTPose of mmpose or of its authors, .pth or .safetensors.")],
    out: NewFolder = None,
) -> None:
    """Turn a ViTPose checkpoint into a folder for `extract-2d --backend vitpose`.

    Sizes are read from the weights, and every name and shape must fit. Nothing in the file is unpickled.

    Example: crossdiff convert-pose vitpose-b.pth --out pose/vitpose-b
    """
    from crossdiff.pipeline.backends import convert
    from crossdiff.workflows.defaults import empty_folder

    folder = empty_folder(out, weights, print_default)
    converted = convert.convert_pose(weights, folder)
    print_summary(f"{folder}: {converted}; use it with --backend vitpose --pose-set weights={folder}")
