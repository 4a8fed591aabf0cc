"""Ray Data over one machine or many: actors hold the pose model, tasks beside them decode."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from crossdiff.errors import CrossDiffError, InputError, MissingDependencyError, VideoError
from crossdiff.pipeline.engines.base import (
    Engine,
    ExtractResult,
    Job,
    LostError,
    VideoTick,
    Watchdog,
    WorkerConfig,
    gpu_is_lost,
    work,
)
from crossdiff.threads import cores
from crossdiff.video import VideoInfo, VideoReader

# Ray reads these when it is imported. No usage statistics, and no progress bars besides ours.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

try:
    import ray
    from ray.data import ActorPoolStrategy, DataContext
    from ray.exceptions import RayError, RayTaskError
    from ray.util.annotations import RayDeprecationWarning
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise MissingDependencyError(f"the ray engine needs Ray ({error}): pip install 'crossdiff[ray]'") from None

log = logging.getLogger(__name__)

# Videos handed to Ray at a time, one per block, so that a lost actor costs one video.
_WAVE = 1000
# Frames wait in shared memory: at most this many batches of about this many bytes for each actor.
_PARCELS, _PARCEL_BYTES = 3, 8_000_000
_LOST = "crashed or hung the actor that worked on it (see Ray's logs); if it is only slow, raise --time-limit"


class RayEngine(Engine):
    """Extraction on a Ray cluster. All machines must see the videos and the run folder under the same paths.

    workers: number of actors, each with its own pose model and CPU core, and one more core that decodes for it; None
    takes as many as the cluster has room for.
    time_limit: as in `LocalEngine`.
    gpus_per_actor: may be a fraction, such as 0.5.
    address: address of the cluster's head ("auto" finds one on this machine); None starts Ray here until the program
    ends.
    """

    def __init__(
        self,
        workers: int | None = None,
        time_limit: float = 60.0,
        gpus_per_actor: float = 0.0,
        address: str | None = None,
    ) -> None:
        self.workers = workers
        self.time_limit = time_limit
        self.gpus_per_actor = gpus_per_actor
        self.address = address

    def run(self, jobs: Iterable[Job], cfg: WorkerConfig, tick: VideoTick) -> Iterator[ExtractResult]:
        waiting = iter(jobs)
        # Ray is started only if there is work.
        while wave := list(islice(waiting, _WAVE)):
            self._connect()
            yield from self._work(wave, cfg)

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        here = {} if self.address else {"include_dashboard": False, "num_cpus": max(2, cores())}
        try:
            ray.init(address=self.address, log_to_driver=False, logging_level="error", **here)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(f"--ray-address {self.address}: {error}; start Ray there, or leave it out") from None
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)

    def _actors(self) -> int:
        total = ray.cluster_resources()
        # A core for each actor, and one for the task that decodes for it.
        most = int(total.get("CPU", 1) // 2)
        if self.gpus_per_actor:
            most = min(most, int(total.get("GPU", 0) / self.gpus_per_actor))
        if most < 1 or (self.workers or 0) > most:
            raise InputError(
                f"{self.workers or 1} actors with {self.gpus_per_actor:g} GPUs each: the cluster has room for {most} "
                f"({total.get('CPU', 0):g} cores, two for each actor; {total.get('GPU', 0):g} GPUs); ask for fewer"
            )
        return self.workers or most

    def _work(self, wave: list[Job], cfg: WorkerConfig) -> Iterator[ExtractResult]:
        context = DataContext.get_current()
        # An actor that dies takes its block with it; extraction tries that video again, and counts.
        context.max_errored_blocks = -1
        context.enable_progress_bars = False
        missing = {job.video for job in wave}
        try:
            # Nothing is fetched ahead, so that a result is written down as soon as it is there.
            for batch in self._results(wave, cfg).iter_batches(batch_size=1, prefetch_batches=0):
                if fatal := str(batch["fatal"][0]):
                    raise CrossDiffError(fatal)
                result = ExtractResult(**json.loads(str(batch["result"][0])))
                missing.remove(result.video)
                yield result
        except RayError as error:
            raise CrossDiffError(f"Ray gave up: {error}") from None
        for video in sorted(missing):
            yield ExtractResult(video, error=_LOST, lost=True)

    def _results(self, wave: list[Job], cfg: WorkerConfig) -> ray.data.Dataset:
        # Ray's blocks hold numbers alone: 0 stands for the rate of the time stamps.
        rows = [{"video": job.video, "path": str(job.path.resolve()), "fps": job.fps or 0.0} for job in wave]
        with warnings.catch_warnings():
            # Ray 2.60 deprecates `max_task_retries` here, and has nothing else yet that sets it.
            warnings.simplefilter("ignore", RayDeprecationWarning)
            return ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
                _PoseActor,
                fn_constructor_args=(cfg, self.time_limit),
                batch_size=1,
                compute=ActorPoolStrategy(size=min(self._actors(), len(rows)), max_tasks_in_flight_per_actor=1),
                num_cpus=1,
                num_gpus=self.gpus_per_actor or None,
                max_restarts=-1,
                # Ray would try a video that kills its actor for ever.
                max_task_retries=0,
            )


class _PoseActor:
    """Holds the pose model. Called by Ray Data with batches of one row, and gives one row back."""

    def __init__(self, cfg: WorkerConfig, time_limit: float) -> None:
        self.cfg = cfg
        self.pose = cfg.create_pose()
        self.watchdog = Watchdog(time_limit)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        job = Job(str(batch["video"][0]), Path(str(batch["path"][0])), float(batch["fps"][0]) or None)
        try:
            return {"result": [json.dumps(asdict(self._work(job)))], "fatal": [""]}
        # Not caused by the video: a full disk, or a file missing from the installation.
        except (CrossDiffError, OSError) as error:
            return {"result": [""], "fatal": [str(error)]}

    def _work(self, job: Job) -> ExtractResult:
        frames = None
        try:
            frames = _DistantVideo(job, self.watchdog)
            result = work(job, self.pose, self.cfg, lambda *_: self.watchdog.beat(), frames, self.watchdog.rest)
            if result.lost and gpu_is_lost(str(result.error)):
                log.error("%s: %s", job.path, result.error)
                os._exit(1)  # Ray starts another actor
            return result
        except LostError as error:
            return ExtractResult(job.video, error=str(error), lost=True)
        except VideoError as error:
            return ExtractResult(job.video, error=error.reason)
        finally:
            self.watchdog.rest()
            if frames is not None:
                frames.close()


class _DistantVideo:
    """A `FrameSource` that a task decodes, on this machine where it has a core free: frames stay in its memory."""

    def __init__(self, job: Job, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        decode = _decode.options(scheduling_strategy=here, _generator_backpressure_num_objects=_PARCELS)
        self._parcels = decode.remote(str(job.path), job.fps, watchdog.limit)
        self.info: VideoInfo = self._next()
        self.times, self.decoded = np.zeros(0), 0.0

    def frames(self) -> Iterator[np.ndarray]:
        while (parcel := self._next()) is not None:
            if isinstance(parcel, tuple):
                self.times, self.decoded = parcel
                return
            for frame in parcel:
                self._watchdog.beat()
                yield frame

    def close(self) -> None:
        ray.cancel(self._parcels)

    def _next(self) -> Any:
        # The task has its own watchdog; here it may only be waiting for a core.
        self._watchdog.rest()
        try:
            return ray.get(next(self._parcels))
        except StopIteration:
            return None
        except RayTaskError as error:
            raise error.cause from None
        except RayError:
            raise LostError("crashed or hung the process that decodes it") from None


@ray.remote(num_cpus=1, max_retries=0)
def _decode(
    path: str, fps: float | None, time_limit: float
) -> Iterator[VideoInfo | np.ndarray | tuple[np.ndarray, float]]:
    """A video's header, then parcels of frames, uint8, (frames, height, width, 3), then their times and the share of
    frames that could be decoded."""
    watchdog = Watchdog(time_limit)
    watchdog.beat()
    try:
        video = VideoReader(Path(path), fps)
        watchdog.rest()
        yield video.info
        parcel: list[np.ndarray] = []
        for frame in video.frames():
            watchdog.beat()
            parcel.append(frame)
            if len(parcel) * frame.nbytes >= _PARCEL_BYTES:
                watchdog.rest()
                yield np.stack(parcel)
                parcel = []
        if parcel:
            yield np.stack(parcel)
        yield video.times, video.decoded
    finally:
        watchdog.rest()
