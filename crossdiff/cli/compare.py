"""`crossdiff compare`: results of `crossdiff evaluate` in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdiff.cli.printing import print_summary


def compare(
    results: Annotated[list[Path], typer.Argument(help="Results: result.json, or the folder that holds it.")],
    out: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder for compare.md and compare.html; default: only print the table."),
    ] = None,
) -> None:
    """Print the results of several models as one Markdown table, with the best value of each metric bold.

    All results must have the same data, evaluators and protocol.

    Example: crossdiff compare runs/first/evaluation runs/second/evaluation --out comparison
    """
    from crossdiff.evaluation import compare as comparing
    from crossdiff.evaluation.result import EvaluationResult

    comparison = comparing.compare([EvaluationResult.load(path) for path in results])
    typer.echo(comparing.markdown(comparison), nl=False)
    if out is not None:
        print_summary(comparing.write_comparison(comparison, out))
