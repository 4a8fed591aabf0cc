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
        Path | None, typer.Option(dir_okay=False, help="Write the whole table to this file instead of printing it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole table as JSON, and nothing else.")] = False,
) -> None:
    """Show how far a run is: how many items each stage has done, filtered (and why) and failed.

    Reasons that differ in numbers or files alone are counted together; files and JSON have them as they are.

    Example: crossdiff status runs/ucf --stage filter --csv filter.csv
    """
    import json

    from crossdiff.files import write_text
    from crossdiff.pipeline.ledger import stage_named
    from crossdiff.pipeline.overview import counts_text, rows_text
    from crossdiff.workflows.callbacks import silent
    from crossdiff.workflows.defaults import open_run

    opened = open_run(run, silent if as_json else print_default)
    table = opened.ledger.table(stage_named(stage)) if stage else opened.ledger.counts()
    if csv:
        write_text(csv, table.to_csv(index=False))
    if as_json:
        rows = json.loads(table.to_json(orient="records"))  # which turns NaN into null
        typer.echo(json.dumps({"run": str(opened.root), "stage": stage, "rows": rows}, indent=2))
        return
    if not csv:
        print_text(rows_text(table) if stage else counts_text(table))
    print_summary(f"{len(table)} rows" + (f" in {csv}" if csv else ""))
