"""`crossdiff build-2d`: kept clips to 2D motions, features and captions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import open_run, summary


@app.command("build-2d")
def build_2d(
    run: Annotated[Path | None, typer.Argument(help="Run folder; without it the latest under runs/.")] = None,
    config: Annotated[str | None, typer.Option(help="YAML file, or `build` for the shipped one.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="One value, such as savgol_window=5.")] = None,
) -> None:
    """Turn the clips that the filter kept into 2D motion at 20 fps (y up, metres), its features and its captions.

    Example: crossdiff build-2d runs/ucf
    """
    from crossdiff.config import load_config
    from crossdiff.pipeline.build import BuildConfig
    from crossdiff.pipeline.build import build_2d as build

    cfg = load_config(BuildConfig, config, set_)
    opened = open_run(run)
    result = build(opened, cfg)
    summary(f"{result}; features in {opened.features2d}")
    result.raise_failures()
