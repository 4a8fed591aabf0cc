"""`crossdiff convert`: the authors' released checkpoints to models of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import new_folder, summary, took


@app.command(no_args_is_help=True)
def convert(
    official: Annotated[Path, typer.Argument(help="The authors' checkpoint, .pt or .safetensors.")],
    stats: Annotated[
        Path | None,
        typer.Option(
            help="Folder with Mean.npy and Std.npy as HumanML3D publishes them, which sampling needs and the "
            "checkpoints do not hold; and, if there, Mean2d.npy and Std2d.npy from "
            "`crossdiff prepare --set layout_2d=official`."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the model; new or empty.")] = None,
    heads: Annotated[
        int, typer.Option(min=1, help="Attention heads, which cannot be seen in the weights; the authors have 4.")
    ] = 4,
    text_encoder: Annotated[
        str, typer.Option(help="clip (from the Hugging Face hub), or clip:FOLDER with its weights.")
    ] = "clip",
) -> None:
    """Turn a checkpoint of the paper's authors into a model for sample, pseudo-label, finetune and train.

    Sizes are read from the weights, and every name and shape must fit. Nothing in the file is unpickled.

    Example: crossdiff convert model.pt --stats HumanML3D/ --out trained/official
    """
    from crossdiff.checkpoint import save_model
    from crossdiff.models.convert import convert_official

    out = new_folder(out, official)
    converted = convert_official(official, stats, heads, text_encoder)
    took("heads", heads, "cannot be seen in the weights; change it with --heads")
    if converted.dropped:
        took("left out", f"{converted.dropped} entries clip_model.*", "the text encoder's, not the motion network's")
    if converted.published is False:
        took("3D statistics", stats, "NOT like HumanML3D's published ones, for which the authors' weights are made")
    if not converted.model.has_statistics("3d"):
        took(
            "3D statistics",
            "none",
            "sampling needs Mean.npy and Std.npy: convert again with --stats FOLDER",
        )
    if not converted.model.has_statistics("2d"):
        took("2D statistics", "none", "sampling needs none; pseudo-label needs Mean2d.npy and Std2d.npy in --stats")
    save_model(converted.model, out)
    summary(f"{out}: {converted}")
