"""Videos to keypoints: one file per person and shot, and a ledger row for every video."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from crossdiff.annotations.captions import VideoCaption
from crossdiff.files import remove_leftovers, sha256
from crossdiff.pipeline.backends import PoseBackend
from crossdiff.pipeline.captioning import captions_and_rates_of, default_captions, warn_uncaptioned
from crossdiff.pipeline.engines import Engine, ExtractResult, InProcess, Job, WorkerConfig
from crossdiff.pipeline.engines.base import track_name
from crossdiff.pipeline.inputs import Selection, name_apart
from crossdiff.pipeline.ledger import Row, State, VideoRecord, key_of
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.summaries import StageSummary
from crossdiff.pipeline.tracks.people import PeopleConfig
from crossdiff.pipeline.video_input import VideoInput
from crossdiff.progress import progress_bar
from crossdiff.wording import counted

log = logging.getLogger(__name__)

# Version of the video reader and of how tracks are found; a new version extracts all videos again.
_VERSION = 3


@dataclass
class ExtractSummary(StageSummary):
    """Counts of videos, frames and tracks. Failures are listed by the video's path."""

    videos: int = 0
    frames: int = 0
    """Frames that were read now."""
    seconds: float = 0.0
    """Time that reading them took."""
    tracks: int = 0
    quarantined: int = 0
    """Failed videos that crashed or hung the processes that read them."""
    damaged: int = 0
    """Videos of which some frames could not be decoded; the others were used."""
    without_person: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        good = self.videos - len(self.failed) - len(self.without_person)
        rate = f", {self.frames / self.seconds:.0f} frames/s" if self.frames and self.seconds else ""
        quarantined = f" ({self.quarantined} quarantined)" if self.quarantined else ""
        damaged = f", {self.damaged} damaged" if self.damaged else ""
        return (
            f"{counted(self.videos, 'video')}: {good} with people ({counted(self.tracks, 'track')}), "
            f"{len(self.without_person)} without, {len(self.failed)} failed{quarantined}{damaged}; "
            f"{self.unchanged} unchanged{rate}"
        )

    def reasons(self) -> Mapping[str, str]:
        return dict.fromkeys(sorted(self.without_person), "no person found") | dict(super().reasons())

    def what_failed(self) -> str:
        if self.has_results():
            return f"{len(self.reasons())} of {self.videos} videos could not be used, the others are done"
        return "no video could be used; give others that show a whole person, or re-encode"

    def has_results(self) -> bool:
        return len(self.reasons()) < self.videos


def extract_2d(
    videos: Sequence[Path] | Selection,
    run: Run,
    backend: str | PoseBackend = "mediapipe",
    captions: Path | None = None,
    retry_failed: bool = False,
    cfg: PeopleConfig | None = None,
    *,
    settings: Sequence[str] = (),
    engine: Engine | None = None,
    attempts: int = 2,
    lists: Sequence[Path] = (),
    per_label: int | None = None,
    fps: float | None = None,
    whole_only: bool = False,
) -> ExtractSummary:
    """Detect and track people in video files and folders of them, into `run.keypoints`.

    Videos whose content and configuration are unchanged are skipped; so are failed and quarantined ones, unless
    `retry_failed`.

    captions: CSV file (video, caption) that overrides captions.csv files beside the videos.
    settings: settings of a backend given by name, as `key=value`.
    engine: where videos are read; by default in this process.
    attempts: number of times that a video may crash or hang its process before it is quarantined.
    lists, per_label: see `Selection.of`; ignored for a `Selection`.
    fps: true frame rate of videos with wrong time stamps; a captions file may give others.
    whole_only: damaged videos fail; otherwise their decodable frames are used.
    """
    selection = videos if isinstance(videos, Selection) else Selection.of(videos, lists, per_label)
    worker = WorkerConfig(
        backend, cfg or PeopleConfig(), run.keypoints.resolve(), tuple(settings), whole_only=whole_only
    )
    pose = worker.create_pose()
    identity, worker = pose.identity, replace(worker, on_gpu=pose.on_gpu)
    del pose  # its memory is for the processes
    known = run.ledger.videos()
    named = name_apart(selection.videos, {name: video.path for name, video in known.items()})
    captioned, true_rates = captions_and_rates_of(list(named.values()), captions)
    rates = dict.fromkeys(named.values(), fps) | true_rates
    with run.lock("extraction"), _Progress(len(named)) as progress:
        remove_leftovers(run.keypoints)
        run.record_extraction(extract_config(identity, worker.people), selection.record())
        extractor = _Extractor(run, known, [identity, worker.people.model_dump(), _VERSION], retry_failed, progress)
        started = time.monotonic()
        jobs: Iterable[Job] = extractor.pending(named, captioned, rates, whole_only)
        for attempt in range(1, attempts + 1):
            for result in (engine or InProcess()).run(jobs, worker, progress.tick):
                extractor.record(result, attempt, last=attempt == attempts)
            if not (jobs := extractor.lost_jobs()):
                break
        extractor.summary.seconds = time.monotonic() - started
    warn_uncaptioned(extractor.uncaptioned, len(named))
    return extractor.summary


def extract_config(identity: Mapping[str, Any], cfg: PeopleConfig | None = None) -> dict[str, Any]:
    """The record of extraction: the pose backend's identity and the tracking configuration."""
    return {"backend": dict(identity), **(cfg or PeopleConfig()).model_dump()}


class _Progress:
    """A progress bar for all videos, and one for each video in progress."""

    def __init__(self, videos: int) -> None:
        self._bar = progress_bar()
        self._overall = self._bar.add_task("videos", total=videos, note="")
        self._current: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def tick(self, video: str, done: int, total: int) -> None:
        if video not in self._current:
            self._current[video] = self._bar.add_task("frames", note=video)
        self._bar.update(self._current[video], completed=done, total=total or None)

    def ended(self, video: str, over: bool = True) -> None:
        """over: the video is finished and not retried."""
        if video in self._current:
            self._bar.remove_task(self._current.pop(video))
        if over:
            self._bar.advance(self._overall)


class _Extractor:
    """Decides which videos need work, writes their outcomes into the ledger, and counts them."""

    def __init__(
        self, run: Run, known: Mapping[str, VideoRecord], settings: object, retry_failed: bool, progress: _Progress
    ) -> None:
        self.run = run
        self.known = known
        self.settings = settings
        self.retry_failed = retry_failed
        self.progress = progress
        self.summary = ExtractSummary()
        self.uncaptioned: list[str] = []
        self._pending: dict[str, _PendingVideo] = {}
        self._lost: list[Job] = []

    def pending(
        self,
        named: Mapping[str, VideoInput],
        captioned: Mapping[VideoInput, tuple[VideoCaption, ...]],
        rates: Mapping[VideoInput, float | None],
        whole_only: bool,
    ) -> Iterator[Job]:
        """The videos that need work; the others are counted."""
        for name, video in named.items():
            self.summary.videos += 1
            seen = self._refresh_video(name, video, captioned[video])
            if not seen.captions:
                self.uncaptioned.append(str(video.relative))
            rate = rates[video]
            key = key_of(seen.content, self.settings, rate)
            row = self.run.ledger.get("extract", name)
            same = row is not None and row.key == key and _is_judged(row, whole_only) and self._has_keypoints(name)
            if row is None or not same or (self.retry_failed and row.state in ("failed", "quarantined")):
                self._invalidate_keys(name)
                self._pending[name] = _PendingVideo(
                    Job(name, video.path, rate), key, row.attempts if row and same else 0
                )
                yield self._pending[name].job
            else:
                self.summary.unchanged += 1
                self._count(str(video.path), row)
                self.progress.ended(name)

    def lost_jobs(self) -> list[Job]:
        """Videos whose last attempt lost its process, to be retried; each is returned once."""
        lost, self._lost = self._lost, []
        return lost

    def record(self, result: ExtractResult, attempt: int, last: bool) -> None:
        """Write the outcome of a video, or keep the video for another attempt."""
        begun = self._pending[result.video]
        self.progress.ended(result.video, over=last or not result.lost)
        if result.lost and not last:
            log.info("%s %s; it is tried again at the end", begun.job.path, result.error)
            self._lost.append(begun.job)
            return
        row = _row(result, begun.key, begun.attempts + attempt)
        tracks = [
            Row("track", clip, "done", key_of(begun.key, clip), parent=result.video, measures=measures)
            for number, measures in enumerate(result.tracks)
            for clip in [track_name(result.video, number)]
        ]
        # Files before rows: if the process is killed in between, no file is left without a row.
        old = self.run.ledger.rows("track", parent=result.video)
        for stale in {r.id for r in old} - {r.id for r in tracks}:
            (self.run.keypoints / f"{stale}.npz").unlink(missing_ok=True)
        self.run.ledger.put([*tracks, row], replace=("track", [result.video]))
        self.summary.frames += result.measures.get("frames", 0)
        self._count(str(begun.job.path), row)

    def _refresh_video(self, name: str, video: VideoInput, captions: tuple[VideoCaption, ...]) -> VideoRecord:
        """The record of a video as it is now; changes are written to the ledger."""
        before, stamp = self.known.get(name), _stamp(video.path)
        content = before.content if before and stamp and before.stamp == stamp else _content(video.path)
        label = video.label
        if before is not None:
            # A video given as a single file keeps its earlier label from a folder and captions from a file.
            label = before.label if video.is_alone else label
            captions = before.captions if captions == default_captions(video.label) else captions
        seen = VideoRecord(name, video.path.resolve(), content, label, captions, stamp)
        if seen != before:
            self.run.ledger.put_video(seen)
        return seen

    def _has_keypoints(self, video: str) -> bool:
        """Whether the keypoints of all its tracks exist and can be read."""
        tracks = self.run.ledger.rows("track", parent=video)
        return all(self.run.holds_keypoints(row.id, row.measures["frames"]) for row in tracks)

    def _invalidate_keys(self, video: str) -> None:
        """Clear the keys of rows whose files will be overwritten, in case the process is killed in between."""
        if tracks := self.run.ledger.rows("track", parent=video):
            rows = [*tracks, *self.run.ledger.rows("extract", id=video)]
            self.run.ledger.put([replace(row, key="") for row in rows])

    def _count(self, path: str, row: Row) -> None:
        if row.state == "done":
            self.summary.tracks += row.measures.get("tracks", 0)
            self.summary.damaged += _is_damaged(row)
        if row.state in ("failed", "quarantined"):
            self.summary.failed[path] = str(row.reason)
            self.summary.quarantined += row.state == "quarantined"
        elif row.state == "filtered":
            self.summary.without_person.append(path)


@dataclass(frozen=True)
class _PendingVideo:
    """A video in progress, the key of its next row, and the number of earlier attempts."""

    job: Job
    key: str
    attempts: int


def _row(result: ExtractResult, key: str, attempts: int) -> Row:
    """The ledger row of a result."""
    if result.error is not None:
        state: State = "quarantined" if result.lost else "failed"
        return Row(
            "extract", result.video, state, key, reason=result.error, attempts=attempts, measures=result.measures
        )
    if not result.tracks:
        reason, measures = "no person", result.measures
        return Row(
            "extract", result.video, "filtered", key, reason=reason, value=0.0, attempts=attempts, measures=measures
        )
    return Row("extract", result.video, "done", key, attempts=attempts, measures=result.measures)


def _is_judged(row: Row, whole_only: bool) -> bool:
    """Whether a damaged video was treated as `whole_only` asks now; True for others."""
    return not _is_damaged(row) or (row.state == "failed") == whole_only


def _is_damaged(row: Row) -> bool:
    """Whether some frames of the video could not be decoded."""
    return row.measures.get("decoded", 1.0) < 1


def _stamp(path: Path) -> str:
    """Size and modification time of a file; empty if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _content(path: Path) -> str:
    """sha256 of a file; empty if it cannot be read, which extraction reports."""
    try:
        return sha256(path)
    except OSError:
        return ""
