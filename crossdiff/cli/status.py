"""`crossdiff status`: progress of a run, and the reasons for what it dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import RunFolder
from crossdiff.cli.printing import print_default, print_summary, print_text


def status(
    run: RunFolder = None,
    stage: Annotated[
        str | None, typer.Option(help="Every row of a stage: extract, track, filter, build or pseudo.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the table to this file instead of printing it.")
    ] = None,
) -> None:
    """Show how far a run is: how many items each stage has done, filtered (and why) and failed.

    Example: crossdiff status runs/ucf --stage filter --csv filter.csv
    """
    from crossdiff.files import write_text
    from crossdiff.pipeline.ledger import stage_named
    from crossdiff.workflows.defaults import open_run

    opened = open_run(run, print_default)
    table = opened.ledger.table(stage_named(stage)) if stage else opened.ledger.counts()
    if csv:
        write_text(csv, table.to_csv(index=False))
    else:
        print_text(table.to_string(index=False, na_rep="") if len(table) else "no rows")
    print_summary(f"{len(table)} rows" + (f" in {csv}" if csv else ""))
