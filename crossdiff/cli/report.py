"""`crossdiff report`: one page on which the clips of a run can be judged by looking."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli import app
from crossdiff.cli.common import open_run, summary


@app.command("report")
def report(
    run: Annotated[Path | None, typer.Argument(help="Run folder; without it the latest under runs/.")] = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The page; without it report/index.html in the run.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Most clips to draw of those kept, and for each reason.")] = 8,
    labels: Annotated[int, typer.Option(min=0, help="Most pseudo labels to show beside their videos.")] = 6,
) -> None:
    """Write a page with counts per label and reason, measures with their limits, clips kept and dropped, and labels.

    Works from extraction on; the pictures lie in a folder beside the page.

    Example: crossdiff report runs/ucf
    """
    from crossdiff.pipeline.report import write_report
    from crossdiff.viewing.page import check_page

    if out is not None:
        check_page(out)
    opened = open_run(run)
    summary(str(write_report(opened, out, clips, labels)))
