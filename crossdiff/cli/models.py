"""`crossdiff models`: what models know."""

from __future__ import annotations

from typing import Annotated

import typer

from crossdiff.cli.printing import print_text

_SHOWN = 12


def models(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders or names; default: the shipped ones, and the fine-tuned one of the latest run.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help=f"Show all actions, not only the first {_SHOWN}.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all actions as JSON, and nothing else.")] = False,
) -> None:
    """List models: parameters, size, and the actions they have learnt, with the number of clips and their origin.

    Captions are grouped by their verb. The motion of an action comes from motion capture, or from film alone.

    Example: crossdiff models stage2-small --all
    """
    import json

    from crossdiff.workflows.models import describe_models, models_text

    found = describe_models(checkpoints or ())
    if as_json:
        typer.echo(json.dumps([one.record() for one in found], indent=2, ensure_ascii=False))
        return
    print_text(models_text(found, None if every else _SHOWN))
