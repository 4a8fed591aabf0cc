"""`crossdiff filter`: keep the clips that are good enough."""

from __future__ import annotations

from typing import Annotated

from crossdiff.cli.options import Processes, RunFolder, config_file, setting
from crossdiff.cli.printing import print_default, print_summary


def filter_(
    run: RunFolder = None,
    config: Annotated[str | None, config_file("filter")] = None,
    set_: Annotated[list[str] | None, setting("min_fps=4")] = None,
    workers: Processes = None,
) -> None:
    """Measure every clip of a run and keep those within the limits; the ledger has the reason for each of the others.

    With other limits the clips are filtered again; nothing is extracted again.

    Example: crossdiff filter runs/ucf --set min_fps=4
    """
    from crossdiff.config import load_config
    from crossdiff.pipeline.filter import FilterConfig, filter_clips
    from crossdiff.workflows.defaults import open_run

    cfg = load_config(FilterConfig, config, set_)
    result = filter_clips(open_run(run, print_default), cfg, workers)
    print_summary(result)
    result.raise_failures()
