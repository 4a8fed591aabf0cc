"""What an engine is given and gives back, and the work on one video, which is the same in all of them."""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from crossdiff.errors import CrossDiffError, MissingDependencyError, VideoError
from crossdiff.pipeline.backends import PoseBackend, create_backend
from crossdiff.pipeline.tracks.people import PeopleConfig, Tick, find_people
from crossdiff.video import FrameSource, VideoReader

log = logging.getLogger(__name__)

# Called with a video's id, its frames done so far and those that its header declares (0: unknown).
VideoTick = Callable[[str, int, int], None]
# After such an error of a GPU every later call of the same process fails.
_GPU_LOST = re.compile("(CUDA|HIP) error")
# It may have memory again when other processes are done.
_GPU_FULL = re.compile("(CUDA|HIP) out of memory")


class LostError(CrossDiffError):
    """A process that worked on a video is gone; another attempt may end otherwise."""


@dataclass(frozen=True)
class Job:
    """One video to be worked on.

    video: its id in the run.
    fps: its true frame rate, where its time stamps are wrong.
    """

    video: str
    path: Path
    fps: float | None = None


@dataclass(frozen=True)
class WorkerConfig:
    """What is done to every video; each worker gets it once. keypoints: the folder for the tracks' files.

    backend: a name, by which each worker makes its own, or one that is there (to leave this process it must pickle).
    settings: of a backend by name, as `key=value`. on_gpu: see `PoseBackend`. whole_only: refuse damaged videos.
    """

    backend: str | PoseBackend
    people: PeopleConfig
    keypoints: Path
    settings: tuple[str, ...] = ()
    on_gpu: bool = False
    whole_only: bool = False

    def create_pose(self) -> PoseBackend:
        return create_backend(self.backend, self.settings) if isinstance(self.backend, str) else self.backend


@dataclass(frozen=True)
class ExtractResult:
    """What became of one video.

    tracks: measures of each track, in the order of the files `VIDEO_t0.npz` ...; measures: of the video; error: why
    it gave none. lost: see `LostError`.
    """

    video: str
    tracks: tuple[Mapping[str, Any], ...] = ()
    measures: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    lost: bool = False


class Engine(ABC):
    """Works through videos. Each video gets one result, in whatever order they are ready."""

    @abstractmethod
    def run(self, jobs: Iterable[Job], cfg: WorkerConfig, tick: VideoTick) -> Iterator[ExtractResult]:
        """jobs: read as workers become free, never all at once. What is no video's fault is raised."""


class InProcess(Engine):
    """One video after the other in this process: a file that crashes or hangs the decoder ends or stops it all."""

    def run(self, jobs: Iterable[Job], cfg: WorkerConfig, tick: VideoTick) -> Iterator[ExtractResult]:
        pose = cfg.create_pose()
        for job in jobs:
            result = work(job, pose, cfg, partial(tick, job.video))
            if result.lost and not _GPU_FULL.search(result.error or ""):
                raise LostError(
                    f"{job.path}: {result.error}; run again with worker processes (LocalEngine), which are replaced"
                )
            yield result


def work(
    job: Job,
    pose: PoseBackend,
    cfg: WorkerConfig,
    tick: Tick,
    source: FrameSource | None = None,
    seen: Callable[[], None] = lambda: None,
) -> ExtractResult:
    """Find the people of one video and save their tracks.

    source: its frames, where they do not come from its file; seen: called when all of them are seen.
    """
    try:
        found = find_people(source or VideoReader(job.path, job.fps), pose, cfg.people, tick, seen)
    except MissingDependencyError:
        raise
    except VideoError as error:
        return ExtractResult(job.video, error=error.reason)
    except LostError as error:
        return ExtractResult(job.video, error=str(error), lost=True)
    # Whatever a decoder or a model throws makes this one video unusable; the others go on.
    except Exception as error:
        log.info("%s failed", job.path, exc_info=True)
        reason = str(error) or type(error).__name__
        return ExtractResult(job.video, error=reason, lost=gpu_is_lost(reason))
    if cfg.whole_only and found.measures["decoded"] < 1:
        return ExtractResult(job.video, measures=found.measures, error=_damaged(found.measures["decoded"]))
    tracks = []
    for number, keypoints in enumerate(found.tracks):
        keypoints.save(cfg.keypoints / f"{track_name(job.video, number)}.npz")
        tracks.append({"frames": len(keypoints.frame), "first_frame": int(keypoints.frame[0])})
    return ExtractResult(job.video, tuple(tracks), found.measures)


def _damaged(decoded: float) -> str:
    return f"damaged: {decoded:.1%} of its frames could be decoded; give a whole copy, or leave out --whole-only"


def gpu_is_lost(reason: str) -> bool:
    """Whether an error, by its text, is the GPU's fault and no video's: another attempt may end otherwise."""
    return any(pattern.search(reason) for pattern in (_GPU_LOST, _GPU_FULL))


def track_name(video: str, number: int) -> str:
    return f"{video}_t{number}"


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Watchdog:
    """Ends this process with `HUNG` when no `beat` comes for `limit` seconds, until `rest`.

    faulthandler watches from a thread in C: a decoder that hangs while it holds the interpreter is ended too.
    """

    HUNG = 1

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._set = -limit
        self._nowhere = Path(os.devnull).open("w")  # noqa: SIM115  open as long as the process

    def beat(self) -> None:
        # Setting it starts a thread: not for every frame.
        if time.monotonic() - self._set > self.limit / 50:
            faulthandler.dump_traceback_later(self.limit, exit=True, file=self._nowhere)
            self._set = time.monotonic()

    def rest(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._set = -self.limit
