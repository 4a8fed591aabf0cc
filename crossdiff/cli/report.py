"""`crossdiff report`: one page on which the clips of a run can be judged by eye."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.options import RunFolder
from crossdiff.cli.printing import print_default, print_summary


def report(
    run: RunFolder = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The page; default: report/index.html in the run.")
    ] = None,
    clips: Annotated[
        int, typer.Option(min=1, help="Largest number of kept clips to draw, and of dropped clips for each reason.")
    ] = 8,
    labels: Annotated[
        int, typer.Option(min=0, help="Largest number of pseudo labels to show beside their videos.")
    ] = 6,
) -> None:
    """Write a page with counts per label and reason, measures with their limits, clips kept and dropped, and labels.

    Works after any stage; pictures are written to a folder beside the page.

    Example: crossdiff report runs/ucf
    """
    from crossdiff.pipeline.report.report import write_report
    from crossdiff.viewing.page import check_page
    from crossdiff.workflows.defaults import open_run

    if out is not None:
        check_page(out)
    print_summary(write_report(open_run(run, print_default), out, clips, labels))
