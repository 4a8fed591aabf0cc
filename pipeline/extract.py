"""Videos to keypoints: one file per person and shot, and a ledger row for every video whatever became of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crossdiff.annotations.captions import VideoCaption
from crossdiff.errors import CrossDiffError, InputError, PartialFailure
from crossdiff.files import sha256
from crossdiff.pipeline import ledger
from crossdiff.pipeline.backends import PoseBackend, create_backend
from crossdiff.pipeline.inputs import VideoInput, captions_of, find_videos, name_apart
from crossdiff.pipeline.ledger import Row, key_of
from crossdiff.pipeline.people import PeopleConfig, Tick, find_people
from crossdiff.pipeline.run import Run
from crossdiff.progress import progress_bar
from crossdiff.types import Keypoints2D
from crossdiff.wording import counted, listed

log = logging.getLogger(__name__)


@dataclass
class ExtractSummary:
    """What extraction did. unchanged: videos left alone, as their content and the configuration are the same."""

    videos: int = 0
    unchanged: int = 0
    frames: int = 0
    seconds: float = 0.0
    tracks: int = 0
    without_person: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        good = self.videos - len(self.failed) - len(self.without_person)
        rate = f", {self.frames / self.seconds:.0f} frames/s" if self.frames and self.seconds else ""
        return (
            f"{counted(self.videos, 'video')}: {good} with people ({counted(self.tracks, 'track')}), "
            f"{len(self.without_person)} without, {len(self.failed)} failed; {self.unchanged} unchanged{rate}"
        )

    def raise_failures(self) -> None:
        """One line per input that gave nothing; `InputError` where none gave a track."""
        useless = dict.fromkeys(self.without_person, "no person found") | self.failed
        if not useless:
            return
        lines = listed(useless)
        if len(useless) == self.videos:
            raise InputError(f"no video could be used; give others that show a whole person, or re-encode:{lines}")
        raise PartialFailure(f"{len(useless)} of {self.videos} videos could not be used, the others are done:{lines}")


def extract_2d(
    videos: Sequence[Path],
    run: Run,
    backend: str | PoseBackend = "mediapipe",
    captions: Path | None = None,
    retry_failed: bool = False,
    cfg: PeopleConfig | None = None,
    lists: Sequence[Path] = (),
    per_label: int | None = None,
) -> ExtractSummary:
    """Detect and track people in video files and folders of them, into `run.keypoints`.

    Videos whose content and configuration have not changed are left alone; failed ones too, unless
    `retry_failed`. captions: a CSV file (video, caption) that comes before captions.csv files beside the videos.
    lists, per_label: which of the videos are taken; see `find_videos`.
    """
    pose = create_backend(backend) if isinstance(backend, str) else backend
    cfg = cfg or PeopleConfig()
    known = {name: video.path for name, video in run.ledger.videos().items()}
    named = name_apart(find_videos(videos, lists, per_label), known)
    captioned = captions_of(list(named.values()), captions)
    run.record_config("extract", {"backend": pose.identity, **cfg.model_dump()})
    extractor = _Extractor(run, pose, cfg, retry_failed)
    started = time.monotonic()
    with progress_bar() as bar:
        overall = bar.add_task("videos", total=len(named), note="")
        current = bar.add_task("frames", total=None, note="")

        def tick(done: int, total: int) -> None:
            bar.update(current, completed=done, total=total or None)

        for name, video in named.items():
            bar.update(current, completed=0, total=None, note=name)
            extractor.work(name, video, captioned[video], tick)
            bar.advance(overall)
    extractor.summary.seconds = time.monotonic() - started
    return extractor.summary


class _Extractor:
    """Works through videos one at a time and sums up."""

    def __init__(self, run: Run, pose: PoseBackend, cfg: PeopleConfig, retry_failed: bool) -> None:
        self.run = run
        self.pose = pose
        self.cfg = cfg
        self.retry_failed = retry_failed
        self.summary = ExtractSummary()

    def work(self, name: str, video: VideoInput, captions: tuple[VideoCaption, ...], tick: Tick) -> None:
        self.summary.videos += 1
        content = _content(video.path)
        seen = ledger.Video(name, video.path.resolve(), content, video.label, captions)
        self.run.ledger.put_video(seen)
        key = key_of(content, self.pose.identity, self.cfg.model_dump())
        row = self.run.ledger.get("extract", name)
        again = row is not None and row.state == "failed" and self.retry_failed
        if row is None or row.key != key or again or not self._has_keypoints(name):
            row = self._extract(name, video.path, key, tick)
        else:
            self.summary.unchanged += 1
        self._count(str(video.path), row)

    def _has_keypoints(self, video: str) -> bool:
        tracks = self.run.ledger.rows("track", parent=video)
        return all((self.run.keypoints / f"{row.id}.npz").is_file() for row in tracks)

    def _extract(self, name: str, path: Path, key: str, tick: Tick) -> Row:
        import cv2

        tracks: list[Row] = []
        try:
            found = find_people(path, self.pose, self.cfg, tick)
        # Any of these means this one video is unusable; the others go on.
        except (CrossDiffError, cv2.error, RuntimeError, ValueError) as error:
            log.info("%s failed", path, exc_info=True)
            row = Row("extract", name, "failed", key, reason=str(error))
        else:
            self.summary.frames += found.measures["frames"]
            tracks = [self._save(f"{name}_t{i}", name, key, kp) for i, kp in enumerate(found.tracks)]
            if tracks:
                row = Row("extract", name, "done", key, measures=found.measures)
            else:
                row = Row("extract", name, "filtered", key, reason="no person", value=0.0, measures=found.measures)
        old = self.run.ledger.rows("track", parent=name)
        self.run.ledger.put([*tracks, row], replace=("track", name))
        for stale in {r.id for r in old} - {r.id for r in tracks}:
            (self.run.keypoints / f"{stale}.npz").unlink(missing_ok=True)
        return row

    def _save(self, clip: str, video: str, key: str, keypoints: Keypoints2D) -> Row:
        keypoints.save(self.run.keypoints / f"{clip}.npz")
        measures = {"frames": len(keypoints.frame), "first_frame": int(keypoints.frame[0])}
        return Row("track", clip, "done", key_of(key, clip), parent=video, measures=measures)

    def _count(self, path: str, row: Row) -> None:
        self.summary.tracks += row.measures.get("tracks", 0)
        if row.state == "failed":
            self.summary.failed[path] = str(row.reason)
        elif row.state == "filtered":
            self.summary.without_person.append(path)


def _content(path: Path) -> str:
    """sha256 of a file; empty where it cannot be read, which extraction will then say."""
    try:
        return sha256(path)
    except OSError:
        return ""
