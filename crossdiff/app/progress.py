"""Progress as the page shows it: a fraction and a line of text."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from crossdiff.progress import ProgressEvent, watch

# Called with the fraction that is done, 0 to 1, and what is being done.
ProgressCallback = Callable[[float, str], None]


def subprogress(progress: ProgressCallback, start: float, end: float) -> ProgressCallback:
    """The callback for one step of the work, which takes the whole from `start` to `end`."""
    return lambda fraction, text: progress(start + (end - start) * fraction, text)


def follow(
    progress: ProgressCallback, task: str, describe: Callable[[ProgressEvent], str]
) -> AbstractContextManager[None]:
    """Within the block, the library's events of `task` are shown by `progress`, each in the words of `describe`."""

    def observe(event: ProgressEvent) -> None:
        if event.task == task:
            progress(event.share, describe(event))

    return watch(observe)
