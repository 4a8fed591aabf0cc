"""`crossdiff prepare`: joint positions to a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import summary, took

DEFAULT_DATASET = Path("dataset")


@app.command(no_args_is_help=True)
def prepare(
    source: Annotated[
        Path,
        typer.Argument(help="An .npz of joints, or a folder with motions.npz or .npy files, and texts/ or texts.zip."),
    ],
    out: Annotated[Path | None, typer.Option(help="Dataset folder to write.")] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with settings.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="One setting, such as fps=30; repeatable.")] = None,
) -> None:
    """Turn joint positions (frames, 22, 3) into a HumanML3D folder: features, statistics, captions, splits.

    Example: crossdiff prepare mocap/ --out dataset --set min_frames=24
    """
    from crossdiff.config import load_config
    from crossdiff.data.prepare import PrepareConfig
    from crossdiff.data.prepare import prepare as prepare_dataset

    cfg = load_config(PrepareConfig, config, set_)
    if out is None:
        out = DEFAULT_DATASET
        took("out", out, "name it with --out")
    summary(str(prepare_dataset(source, out, cfg)))
