"""Progress of long work: tasks send events to one observer, by default bars on the terminal, or lines without one.

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
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Self, TypeVar

from crossdiff.wording import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

T = TypeVar("T")

# Between two lines of a task.
_SECONDS = 30.0


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
    """Tasks for the current observer; without one, bars on the terminal, or lines if stderr is none."""
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

    def __init__(self, console: Console | None = None) -> None:
        """console: where to draw; default: stderr."""
        # Loaded only where bars are drawn.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console or Console(stderr=True),
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


class ProgressLines:
    """Observer that writes a line every `seconds` of a task, for output without a terminal, such as a log file.

    A line has the steps done, the note, the steps per second or minute since the task began, and the time left:
    `train 1200/5000, loss 0.0312, 3.4/s, 18 min left`. Tasks that end sooner write nothing.
    """

    def __init__(
        self, write: Callable[[str], None], seconds: float = _SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._seconds, self._clock = write, seconds, clock
        self._began: dict[int, tuple[float, int]] = {}
        self._last: dict[int, float] = {}

    def __call__(self, event: ProgressEvent) -> None:
        now = self._clock()
        start, done = self._began.setdefault(event.id, (now, event.done))
        if event.ended:
            del self._began[event.id]
            self._last.pop(event.id, None)
        elif now - self._last.get(event.id, start) >= self._seconds:
            self._last[event.id] = now
            self._write(_progress_line(event, (event.done - done) / (now - start)))


def _progress_line(event: ProgressEvent, rate: float) -> str:
    """rate: steps per second."""
    count = str(event.done) if event.total is None else f"{event.done}/{event.total}"
    parts = [f"{event.task} {count}", event.note]
    if rate > 0:
        parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min")
        if event.total is not None:
            parts.append(f"{_duration((event.total - event.done) / rate)} left")
    return printable(", ".join(filter(None, parts)))


def _duration(seconds: float) -> str:
    """`40 s`, `18 min`, `3 h 20 min`."""
    minutes = round(max(seconds, 0) / 60)
    if minutes < 2:
        return f"{round(max(seconds, 0))} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _terminal() -> Observer:
    """On stderr, so that a command's output can be piped: bars if it is a terminal, otherwise lines."""
    return _terminal_bars() if sys.stderr.isatty() else _lines()


@cache
def _lines() -> ProgressLines:
    return ProgressLines(lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201


@cache
def _terminal_bars() -> TerminalBars:
    return TerminalBars()
