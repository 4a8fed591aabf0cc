"""One way to show progress: a rich bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def progress_bar(visible: bool = True) -> Progress:
    """A bar with count and time left, on stderr, so that a command's output can be piped."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not (visible and console.is_terminal),
    )


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items under a progress bar."""
    with progress_bar() as bar:
        task = bar.add_task(what, total=total if total is not None else len(items), note="")  # type: ignore[arg-type]
        for item in items:
            yield item
            bar.advance(task)
