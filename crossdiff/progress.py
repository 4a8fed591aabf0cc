"""Progress of long work: tasks send events to one observer, by default a bar on the terminal and otherwise nothing.

Library functions report with `track` or `progress_bar`. A caller may `watch` the events instead of the terminal:

>>> with watch(lambda event: print(event.task, event.done, event.total)):
...     for _ in track(["a", "b"], "clips"):
...         pass
clips 0 2
clips 1 2
clips 2 2
clips 2 2
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

T = TypeVar("T")


@dataclass(frozen=True)
class ProgressEvent:
    """State of a task at one moment."""

    id: int
    """Number of the task, unique in this process."""
    task: str
    """What is counted, such as "clips"."""
    done: int
    total: int | None
    """None: not known in advance."""
    note: str = ""
    """A detail, such as the current loss or file."""
    ended: bool = False
    """No more events of this task follow."""

    @property
    def share(self) -> float:
        """Fraction that is done, 0 to 1; 0 if the total is unknown."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


Observer = Callable[[ProgressEvent], None]
_watching: ContextVar[Observer | None] = ContextVar("crossdiff_progress", default=None)


@contextmanager
def watch(observer: Observer) -> Iterator[None]:
    """Within the block, progress of this thread goes to `observer` instead of the terminal."""
    token = _watching.set(observer)
    try:
        yield
    finally:
        _watching.reset(token)


class ProgressBar:
    """Tasks of one piece of work, reported to the observer; those still open end with the block."""

    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self._tasks: dict[int, ProgressEvent] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_task(self, task: str, total: int | None = None, completed: int = 0, note: str = "") -> int:
        """Begin a task; returns its number, by which it is updated."""
        event = ProgressEvent(next(_numbers), task, completed, total, note)
        self._send(event)
        return event.id

    def update(
        self,
        task: int,
        *,
        completed: int | None = None,
        advance: int = 0,
        total: int | None = None,
        note: str | None = None,
    ) -> None:
        """Change the given values."""
        old = self._tasks[task]
        done = (old.done if completed is None else completed) + advance
        total, note = old.total if total is None else total, old.note if note is None else note
        self._send(replace(old, done=done, total=total, note=note))

    def advance(self, task: int, count: int = 1) -> None:
        self.update(task, advance=count)

    def remove_task(self, task: int) -> None:
        """End a task."""
        self._send(replace(self._tasks[task], ended=True))

    def close(self) -> None:
        """End all tasks."""
        for task in list(self._tasks):
            self.remove_task(task)

    def _send(self, event: ProgressEvent) -> None:
        if event.ended:
            del self._tasks[event.id]
        else:
            self._tasks[event.id] = event
        if self._observer is not None:
            self._observer(event)


_numbers = itertools.count()


def progress_bar(visible: bool = True) -> ProgressBar:
    """Tasks for the current observer; without one, for the terminal, if there is one."""
    return ProgressBar((_watching.get() or _terminal()) if visible else None)


def track(items: Iterable[T], task: str, total: int | None = None) -> Iterator[T]:
    """Yield the items as the steps of a task. total: for items without a length."""
    with progress_bar() as bar:
        number = bar.add_task(task, len(items) if total is None else total)  # type: ignore[arg-type]
        for item in items:
            yield item
            bar.advance(number)


class TerminalBars:
    """Observer that draws a bar per task, with count and time left, and removes it when the task ends."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._shown: dict[int, TaskID] = {}

    def __call__(self, event: ProgressEvent) -> None:
        if event.ended:
            self._bars.remove_task(self._shown.pop(event.id))
            if not self._shown:
                self._bars.stop()
        elif event.id in self._shown:
            self._bars.update(self._shown[event.id], completed=event.done, total=event.total, note=event.note)
        else:
            self._bars.start()
            self._shown[event.id] = self._bars.add_task(
                event.task, completed=event.done, total=event.total, note=event.note
            )


def _terminal() -> Observer | None:
    """Bars on stderr, so that a command's output can be piped; None if stderr is no terminal."""
    return _terminal_bars() if Console(stderr=True).is_terminal else None


@cache
def _terminal_bars() -> TerminalBars:
    return TerminalBars(Console(stderr=True))
