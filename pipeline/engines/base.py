"""The inputs and results of engines, and the extraction of one video, which all of them share."""

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
from typing import Any, Generic, TypeVar

from crossdiff.errors import CrossDiffError, MissingDependencyError, VideoError
from crossdiff.pipeline.backends import PoseBackend, create_backend
from crossdiff.pipeline.tracks.people import PeopleConfig, Tick, find_people
from crossdiff.video import FrameSource, VideoReader

log = logging.getLogger(__name__)

J = TypeVar("J")
R = TypeVar("R")
# Called with a video's id, its frames done so far and those that its header declares (0: unknown).
VideoTick = Callable[[str, int, int], None]
# After such an error of a GPU every later call of the same process fails.
_GPU_LOST = re.compile("(CUDA|HIP) error")
# It may have memory again when other processes are done.
_GPU_FULL = re.compile("(CUDA|HIP) out of memory")


class LostError(CrossDiffError):
    """The process that worked on a video is gone; a retry may succeed."""


@dataclass(frozen=True)
class Job:
    """One video to extract.

    video: its id in the run.
    fps: its true frame rate, if its time stamps are wrong.
    """

    video: str
    path: Path
    fps: float | None = None


class WorkerTask(ABC, Generic[J, R]):
    """What worker processes do with jobs; picklable, each worker gets it once."""

    @abstractmethod
    def open(self) -> Callable[[J, Tick, Callable[[], None]], R]:
        """Load what all jobs need. The function takes a job, a tick for its progress, and one to call when only
        computation is left that no time limit applies to."""

    @abstractmethod
    def lost(self, job: J, error: str) -> R:
        """The result of a job whose process crashed or hung."""

    def is_lost(self, result: R) -> bool:
        """Whether the process that gave this result must be replaced."""
        return False


@dataclass(frozen=True)
class WorkerConfig(WorkerTask[Job, "ExtractResult"]):
    """Settings of extraction that are the same for all videos; each worker gets them once.

    Attributes:
        backend: name of a backend, which each worker creates, or a backend (picklable, to be sent to a process).
        people: settings of shots, camera and tracks.
        keypoints: folder of the tracks' files.
        settings: settings of a backend given by name, as `key=value`.
        on_gpu: see `PoseBackend`.
        whole_only: refuse damaged videos.
    """

    backend: str | PoseBackend
    people: PeopleConfig
    keypoints: Path
    settings: tuple[str, ...] = ()
    on_gpu: bool = False
    whole_only: bool = False

    def create_pose(self) -> PoseBackend:
        return create_backend(self.backend, self.settings) if isinstance(self.backend, str) else self.backend

    def open(self) -> Callable[[Job, Tick, Callable[[], None]], ExtractResult]:
        pose = self.create_pose()
        return lambda job, tick, seen: work(job, pose, self, tick, seen=seen)

    def lost(self, job: Job, error: str) -> ExtractResult:
        return ExtractResult(job.video, error=error, lost=True)

    def is_lost(self, result: ExtractResult) -> bool:
        return result.lost


@dataclass(frozen=True)
class ExtractResult:
    """The result of one video.

    Attributes:
        video: id of the video.
        tracks: measures of each track, in the order of the files `VIDEO_t0.npz` ...
        measures: measures of the video.
        error: reason if it failed.
        lost: whether its process was lost, see `LostError`.
    """

    video: str
    tracks: tuple[Mapping[str, Any], ...] = ()
    measures: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    lost: bool = False


class Engine(ABC):
    """Extracts videos. Each video gives one result; results come in any order."""

    @abstractmethod
    def run(self, jobs: Iterable[Job], cfg: WorkerConfig, tick: VideoTick) -> Iterator[ExtractResult]:
        """jobs: read as workers become free, never all at once. Errors not caused by a video are raised."""


class InProcess(Engine):
    """One video after another in this process; a file that crashes or hangs the decoder stops everything."""

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

    source: frames, if they do not come from the file; seen: called when the last frame has been processed.
    """
    try:
        found = find_people(source or VideoReader(job.path, job.fps), pose, cfg.people, tick, seen)
    except MissingDependencyError:
        raise
    except VideoError as error:
        return ExtractResult(job.video, error=error.reason)
    except LostError as error:
        return ExtractResult(job.video, error=str(error), lost=True)
    # Any error of a decoder or a model makes this one video unusable; the others continue.
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
    return f"damaged: {decoded:.1%} of its frames could be decoded; give an intact copy, or omit --whole-only"


def gpu_is_lost(reason: str) -> bool:
    """Whether an error text is a GPU error, not caused by the video; a retry may succeed."""
    return any(pattern.search(reason) for pattern in (_GPU_LOST, _GPU_FULL))


def track_name(video: str, number: int) -> str:
    return f"{video}_t{number}"


class Watchdog:
    """Ends this process with `HUNG` when no `beat` comes for `limit` seconds, until `rest`.

    faulthandler watches from a C thread, so that it also ends a decoder that hangs while holding the GIL.
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
