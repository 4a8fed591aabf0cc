"""`crossdiff convert`: the authors' released checkpoints to models of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.lazy import help_alone
from crossdiff.cli.options import NewFolder
from crossdiff.cli.printing import print_default, print_summary


@help_alone
def convert(
    official: Annotated[Path, typer.Argument(help="The authors' checkpoint, .pt or .safetensors.")],
    stats: Annotated[
        Path | None,
        typer.Option(
            help="Folder with HumanML3D's published Mean.npy and Std.npy, which sampling needs and the checkpoints do "
            "not hold; optionally also Mean2d.npy and Std2d.npy from `crossdiff prepare --set layout_2d=official`."
        ),
    ] = None,
    out: NewFolder = None,
    heads: Annotated[
        int, typer.Option(min=1, help="Attention heads, which the weights do not show; the authors have 4.")
    ] = 4,
    text_encoder: Annotated[
        str, typer.Option(help="clip (from the Hugging Face hub), or clip:FOLDER with its weights.")
    ] = "clip",
) -> None:
    """Turn a checkpoint of the paper's authors into a model for sample, pseudo-label, finetune and train.

    Sizes are read from the weights, and every name and shape must fit. Nothing in the file is unpickled.

    Example: crossdiff convert model.pt --stats HumanML3D/ --out trained/official
    """
    from crossdiff.workflows.convert import convert_model

    print_summary(convert_model(official, stats, out, heads, text_encoder, print_default))
