"""`crossdiff status`: what became of a run's inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import open_run, say, summary


@app.command("status")
def status(
    run: Annotated[Path | None, typer.Argument(help="Run folder; without it the latest under runs/.")] = None,
    stage: Annotated[
        str | None, typer.Option(help="Every row of a stage: extract, track, filter, build or pseudo.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the table to this file instead.")] = None,
) -> None:
    """Show how far a run is: how many items each stage has done, filtered (and why) and failed.

    Example: crossdiff status runs/ucf --stage filter --csv filter.csv
    """
    from crossdiff.files import write_text
    from crossdiff.pipeline.ledger import stage_named

    opened = open_run(run)
    table = opened.ledger.table(stage_named(stage)) if stage else opened.ledger.counts()
    if csv:
        write_text(csv, table.to_csv(index=False))
    else:
        say(table.to_string(index=False, na_rep="") if len(table) else "no rows")
    summary(f"{len(table)} rows" + (f" in {csv}" if csv else ""))
