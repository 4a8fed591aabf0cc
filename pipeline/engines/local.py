"""Worker processes on this machine. One that crashes or hangs costs its current video, and is replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Semaphore
from typing import Any, Generic

from crossdiff.errors import CrossDiffError
from crossdiff.pipeline.engines.base import (
    Engine,
    ExtractResult,
    J,
    Job,
    R,
    VideoTick,
    Watchdog,
    WorkerConfig,
    WorkerTask,
)
from crossdiff.threads import cores

# Forked processes inherit locks that threads of the parent hold (OpenCV's, MediaPipe's).
_PROCESSES = get_context("spawn")
_SECONDS_BETWEEN_TICKS = 0.2
_ON_GPU = 2


class LocalEngine(Engine):
    """Extraction in worker processes, each with its own pose model.

    workers: number of processes; None is one per core, or two if the model is on a GPU (one computes, one decodes).
    time_limit: seconds without a new frame after which a worker counts as hung.
    """

    def __init__(self, workers: int | None = None, time_limit: float = 60.0) -> None:
        self.workers = workers
        self.time_limit = time_limit

    def run(self, jobs: Iterable[Job], cfg: WorkerConfig, tick: VideoTick) -> Iterator[ExtractResult]:
        workers = self.workers or (_ON_GPU if cfg.on_gpu else cores())
        return run_jobs(jobs, cfg, workers, self.time_limit, lambda job, done, total: tick(job.video, done, total))


def run_jobs(
    jobs: Iterable[J],
    task: WorkerTask[J, R],
    workers: int,
    time_limit: float,
    tick: Callable[[J, int, int], None] = lambda *_: None,
) -> Iterator[R]:
    """Do jobs in worker processes; each gives one result, in any order. Errors not caused by a job are raised.

    jobs: read as workers become free, never all at once.
    time_limit: seconds without a tick after which a worker counts as hung.
    """
    waiting = iter(jobs)
    first = list(islice(waiting, workers))
    # A few jobs share all cores.
    threads = max(1, cores() // max(1, len(first)))
    waiting = chain(first, waiting)
    crew: dict[Connection, _Worker[J, R]] = {}
    try:
        while True:
            # A worker is started only when there is a job for it.
            while len(crew) < workers and (job := next(waiting, None)) is not None:
                worker = _Worker(task, time_limit, threads)
                crew[worker.pipe] = worker
                worker.begin(job)
            if not crew:
                return
            for pipe in wait(list(crew)):
                worker = crew[pipe]  # type: ignore[index]
                result = worker.listen(tick)
                if result is None:
                    continue
                following = None if worker.is_dead or task.is_lost(result) else next(waiting, None)
                if following is not None:
                    # Before the result is processed, so that the worker does not wait.
                    worker.begin(following)
                else:
                    worker.end()
                    del crew[worker.pipe]
                yield result
    finally:
        for worker in crew.values():
            worker.end()


class _Worker(Generic[J, R]):
    """The parent's side of a worker process: its current job and the pipe to it."""

    def __init__(self, task: WorkerTask[J, R], time_limit: float, threads: int) -> None:
        self.pipe, theirs = _PROCESSES.Pipe()
        self.task = task
        self.time_limit = time_limit
        self.room = _PROCESSES.Semaphore()
        args = (theirs, self.room, task, time_limit, threads)
        self.process = _PROCESSES.Process(target=_serve, args=args, daemon=True)
        with _no_interrupts():
            self.process.start()
        theirs.close()  # only then does the death of the worker close the pipe
        self.job: J | None = None
        self.ready = False
        self.is_dead = False

    def begin(self, job: J) -> None:
        self.job = job
        with suppress(OSError):  # the worker is dead, which `listen` will notice
            self.pipe.send(job)

    def listen(self, tick: Callable[[J, int, int], None]) -> R | None:
        """Receive one message; returns the job's result if it has ended, also by the worker's death."""
        assert self.job is not None
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self.is_dead = True
            return self.task.lost(self.job, self._death())
        if kind == "tick":
            self.room.release()
            tick(self.job, *value)
        elif kind == "error":
            raise value
        elif kind == "result":
            return value
        self.ready = True
        return None

    def _death(self) -> str:
        """How the process ended; raises if that was not because of a job."""
        self.process.join()
        code = self.process.exitcode or 0
        if not self.ready:
            raise CrossDiffError(f"a worker process ended ({_ending(code)}) while it was starting; try fewer --workers")
        if code == Watchdog.HUNG:
            return f"hung: no new frame for {self.time_limit:g} s; if it is only slow, raise --time-limit"
        return f"crashed the process that read it ({_ending(code)})"

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _ending(code: int) -> str:
    """An exit code in words; SIGKILL usually means out of memory."""
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name + (", perhaps out of memory" if -code == signal.SIGKILL else "")


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; processes started here ignore it, and their parent handles it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, room: Semaphore, task: WorkerTask[Any, Any], time_limit: float, threads: int) -> None:
    """A worker's life: load what the task needs, then a job in and a result out until the parent is gone.

    room: for one tick that the parent has not read; many would fill the pipe and block.
    """
    import cv2

    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    cv2.setNumThreads(1)  # shots and cameras are looked for in small frames, where threads cost more than they save
    watchdog = Watchdog(time_limit)

    def send(kind: str, value: Any) -> None:
        try:
            pipe.send((kind, value))
        except OSError:
            os._exit(0)  # the parent is gone

    try:
        work = task.open()
        send("ready", None)
        while True:
            job = pipe.recv()
            told = time.monotonic()

            def tick(done: int, total: int) -> None:
                nonlocal told
                watchdog.beat()
                if time.monotonic() - told > _SECONDS_BETWEEN_TICKS and room.acquire(block=False):
                    told = time.monotonic()
                    send("tick", (done, total))

            watchdog.beat()
            result = work(job, tick, watchdog.rest)
            watchdog.rest()
            send("result", result)
    except EOFError:
        return
    except (CrossDiffError, OSError) as error:
        send("error", error)
    except (
        Exception
    ) as error:  # not every exception can be pickled; without this the parent would count the video as lost
        send("error", CrossDiffError(f"a worker process failed: {type(error).__name__}: {error}"))
