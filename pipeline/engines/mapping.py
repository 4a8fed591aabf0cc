"""A function of many clips, on all cores where the work is worth starting processes for, with the same results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

from crossdiff.pipeline.engines.base import J, R, WorkerTask
from crossdiff.pipeline.engines.local import run_jobs
from crossdiff.pipeline.tracks.people import Tick
from crossdiff.threads import cores

log = logging.getLogger(__name__)

# Processes are started for work that would take this process more seconds: several times what their start takes.
_WORTHWHILE = 10.0
# Clips that are timed here first, and clips that a worker takes at once.
_FIRST, _TOGETHER = 32, 16
# Seconds for a few clips, after which a worker counts as hung.
_TIME_LIMIT = 600.0


@dataclass(frozen=True)
class _Each(WorkerTask["_Batch[J]", "_Done[R]"], Generic[J, R]):
    function: Callable[[J], R]

    def open(self) -> Callable[[_Batch[J], Tick, Callable[[], None]], _Done[R]]:
        return lambda batch, tick, seen: _Done(batch.number, [self.function(item) for item in batch.items])

    def lost(self, job: _Batch[J], error: str) -> _Done[R]:
        return _Done(job.number, [], error)


@dataclass(frozen=True)
class _Batch(Generic[J]):
    number: int
    items: Sequence[J]


@dataclass(frozen=True)
class _Done(Generic[R]):
    number: int
    results: Sequence[R]
    error: str | None = None


def map_clips(
    function: Callable[[J], R], items: Sequence[J], lost: Callable[[J, str], R], workers: int | None = 1
) -> Iterator[R]:
    """The function's result for each item, in their order, whatever the number of workers.

    function: picklable; raises only what is no item's fault.
    lost: the result of an item that crashed or hung its process, given the reason.
    workers: number of processes; None: one per core. Little work, and that of one worker, is done in this process.
    """
    workers = cores() if workers is None else workers
    seconds = 0.0
    for item in items[:_FIRST]:
        started = time.monotonic()
        result = function(item)
        seconds += time.monotonic() - started
        yield result
    rest = items[_FIRST:]
    if workers > 1 and seconds * len(rest) > _WORTHWHILE * _FIRST:
        yield from _in_processes(function, rest, lost, workers)
    else:
        yield from map(function, rest)


def _in_processes(
    function: Callable[[J], R], items: Sequence[J], lost: Callable[[J, str], R], workers: int
) -> Iterator[R]:
    starts = range(0, len(items), _TOGETHER)
    batches = [_Batch(number, items[start : start + _TOGETHER]) for number, start in enumerate(starts)]
    waiting: dict[int, Sequence[R]] = {}
    following = 0
    for done in run_jobs(batches, _Each(function), workers, _TIME_LIMIT):
        if done.error is None:
            waiting[done.number] = done.results
        else:
            log.info("clips %s: %s; they are tried one by one", batches[done.number].items, done.error)
            waiting[done.number] = list(_one_by_one(function, batches[done.number].items, lost))
        while following in waiting:
            yield from waiting.pop(following)
            following += 1


def _one_by_one(function: Callable[[J], R], items: Iterable[J], lost: Callable[[J, str], R]) -> Iterator[R]:
    """The results of items of which one ended its process, each in a process that may end."""
    alone = [_Batch(number, (item,)) for number, item in enumerate(items)]
    done = {d.number: d for d in run_jobs(alone, _Each(function), 1, _TIME_LIMIT)}
    for batch in alone:
        result = done[batch.number]
        yield result.results[0] if result.error is None else lost(batch.items[0], result.error)
