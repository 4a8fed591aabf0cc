"""`crossdiff build-2d`: kept clips to 2D motions, features and captions."""

from __future__ import annotations

from typing import Annotated

from crossdiff.cli.options import Processes, RunFolder, config_file, setting
from crossdiff.cli.printing import print_default, print_summary


def build_2d(
    run: RunFolder = None,
    config: Annotated[str | None, config_file("build")] = None,
    set_: Annotated[list[str] | None, setting("savgol_window=5")] = None,
    workers: Processes = None,
) -> None:
    """Turn the clips that passed the filter into 2D motion at 20 fps (y up, metres), its features and its captions.

    Example: crossdiff build-2d runs/ucf
    """
    from crossdiff.config import load_config
    from crossdiff.pipeline.build import BuildConfig
    from crossdiff.pipeline.build import build_2d as build
    from crossdiff.workflows.defaults import open_run

    cfg = load_config(BuildConfig, config, set_)
    opened = open_run(run, print_default)
    result = build(opened, cfg, workers)
    print_summary(f"{result}; features in {opened.features2d}")
    result.raise_failures()
