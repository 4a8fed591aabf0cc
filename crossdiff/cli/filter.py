"""`crossdiff filter`: keep the clips that are good enough."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import open_run, summary


@app.command("filter")
def filter_(
    run: Annotated[Path | None, typer.Argument(help="Run folder; without it the latest under runs/.")] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with limits, or `filter` for the shipped one.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="One limit, such as min_fps=4; repeatable.")] = None,
) -> None:
    """Measure every clip of a run and keep those within the limits; each other one gets its reason in the ledger.

    Changing a limit judges the clips anew; nothing is extracted again.

    Example: crossdiff filter runs/ucf --set min_fps=4
    """
    from crossdiff.config import load_config
    from crossdiff.pipeline.filter import FilterConfig, filter_clips

    cfg = load_config(FilterConfig, config, set_)
    opened = open_run(run)
    result = filter_clips(opened, cfg)
    summary(str(result))
    result.raise_failures()
