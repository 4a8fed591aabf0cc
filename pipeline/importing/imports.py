"""Imports 2D poses of other tools as clips of a run, in the form that extraction writes."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy import ndarray

from crossdiff.annotations.captions import VideoCaption
from crossdiff.errors import CrossDiffError, InputError
from crossdiff.files import remove_leftovers
from crossdiff.pipeline.captioning import default_captions, warn_uncaptioned
from crossdiff.pipeline.engines.base import track_name
from crossdiff.pipeline.ledger import Row, VideoRecord, key_of
from crossdiff.pipeline.motion2d.mapping import keypoint_set_named
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.summaries import ClipSummary
from crossdiff.pipeline.video_input import LONGEST_ID
from crossdiff.progress import track
from crossdiff.types import Keypoints2D
from crossdiff.wording import counted

log = logging.getLogger(__name__)

_BATCH = 256  # clips whose rows are written together
_ID = re.compile(r"\w[\w.-]*")
# Part of the keys of imported clips; change it when the same input gives other files.
_VERSION = "import 1"
_ROUNDING = 1e-3  # by which a score may exceed 1
_SLOWEST, _FASTEST = 0.01, 10_000.0  # frames a second
_LONGEST = 6 * 3600.0  # seconds from the first frame to the last
_LARGEST = 10**6  # pixels: no picture is wider, no keypoint farther out


@dataclass(frozen=True)
class ImportedClip:
    """A person's 2D poses with captions or a label."""

    id: str
    """Letters, digits and `_ . -`, at most 200 bytes, because it names files."""
    keypoints: Keypoints2D
    captions: tuple[VideoCaption | str, ...] = ()
    """Captions of the clip or of parts of it; by default those of the label."""
    label: str = ""
    """The action; empty if it is unknown."""


@dataclass(frozen=True)
class UnusableClip:
    """A clip that could not be read; it gets a failed row in the ledger."""

    id: str
    reason: str


@dataclass
class ImportSummary(ClipSummary):
    """Counts of imported clips and frames."""

    work = "imported"
    replaced: int = 0
    """Number of clips that replaced another one with the same id."""
    frames: int = 0
    """Number of imported frames."""

    def __str__(self) -> str:
        written = self.clips - self.unchanged - len(self.failed)
        return (
            f"{counted(self.clips, 'clip')}: {written} imported ({counted(self.frames, 'frame')}"
            f"{f', {self.replaced} in place of others' if self.replaced else ''}), "
            f"{self.unchanged} unchanged, {len(self.failed)} failed"
        )


def import_keypoints(
    run: Run, clips: Iterable[ImportedClip | UnusableClip], source: str = "", total: int | None = None
) -> ImportSummary:
    """Write clips into `run.keypoints` and the ledger, so that the stages after extraction work on them.

    Clip ID becomes keypoints/ID_t0.npz. Unchanged clips are left alone; a changed clip replaces the old one, and the
    later stages rebuild its motion and labels. A clip that cannot be used gets a failed row, and its old files are
    deleted.

    clips: read one at a time.
    source: where they come from, recorded in config.json.
    total: their number, for the progress bar.
    """
    clips = track(clips, "clips", total) if total is not None else iter(clips)
    with run.lock("extraction"):
        remove_leftovers(run.keypoints)
        run.record_config("import", {"source": source})
        importer = _Importer(run, source)
        while batch := list(itertools.islice(clips, _BATCH)):
            importer.record(batch)
        importer.forget_failures()
    warn_uncaptioned(importer.uncaptioned, importer.summary.clips)
    return importer.summary


class _Importer:
    """Writes clips batch by batch, files first and their rows after."""

    def __init__(self, run: Run, source: str) -> None:
        self.run = run
        self.source = source
        self.summary = ImportSummary()
        self.uncaptioned: list[str] = []
        self._videos = run.ledger.videos()
        self._rows = {row.id: row for row in run.ledger.rows("extract")}
        self._ids: set[str] = set()

    def record(self, batch: Sequence[ImportedClip | UnusableClip]) -> None:
        """Write the keypoints of the clips, then their rows."""
        videos: list[VideoRecord] = []
        rows: list[Row] = []
        failed: list[str] = []
        for clip in batch:
            self.summary.clips += 1
            try:
                self._claim(clip.id)
            except InputError as error:
                self.summary.failed[clip.id] = str(error)
                continue
            try:
                video, written = self._import(clip)
            except CrossDiffError as error:
                log.info("%s not imported", clip.id, exc_info=True)
                reason = _printable(str(error))
                self.summary.failed[clip.id] = reason
                key, measures = key_of(_VERSION, reason), {"source": self.source}
                written = [Row("extract", clip.id, "failed", key, reason=reason, measures=measures)]
                video = VideoRecord(clip.id, self._path(clip.id), "", "", ())
                failed.append(track_name(clip.id, 0))
            rows += written
            if video != self._videos.get(clip.id):
                videos.append(video)
        for name in failed:
            (self.run.keypoints / f"{name}.npz").unlink(missing_ok=True)
        self.run.ledger.put_videos(videos)
        self.run.ledger.drop("track", failed)
        self.run.ledger.put(rows)

    def forget_failures(self) -> None:
        """Drop the rows of clips that failed in an earlier import of the same source and are no longer in it."""
        failed = (row for row in self._rows.values() if row.state == "failed" and self.source)
        gone = [r.id for r in failed if r.measures.get("source") == self.source and r.id.lower() not in self._ids]
        self.run.ledger.drop("extract", gone)

    def _path(self, clip: str) -> Path:
        return (self.run.keypoints / f"{track_name(clip, 0)}.npz").resolve()

    def _claim(self, clip: str) -> None:
        """Refuse an id that cannot name files, or that another clip or a video has."""
        if not _ID.fullmatch(clip):
            raise InputError(f"{clip!r} cannot name files; use letters, digits and _ . - alone")
        if (length := len(clip.encode())) > LONGEST_ID:
            raise InputError(f"an id of {length} bytes is too long to name files; use at most {LONGEST_ID}")
        if clip.lower() in self._ids:
            raise InputError("another clip has this id (capitals do not count); give each its own")
        self._ids.add(clip.lower())
        if clip in self._videos and not self._videos[clip].is_imported:
            raise InputError(f"a video of {self.run.root} has this id; give another id, or import into a new run")

    def _import(self, clip: ImportedClip | UnusableClip) -> tuple[VideoRecord, list[Row]]:
        """Write a clip's keypoints; returns its record and rows, without rows if the clip is unchanged."""
        if isinstance(clip, UnusableClip):
            raise InputError(clip.reason)
        captions = tuple(VideoCaption(c) if isinstance(c, str) else c for c in clip.captions)
        captions = captions or default_captions(clip.label)
        if not captions:
            self.uncaptioned.append(clip.id)
        keypoints = fill_unseen(validate(clip.keypoints))
        content, path = _content(keypoints), self._path(clip.id)
        video = VideoRecord(clip.id, path, content, _printable(clip.label), captions)
        key = key_of(_VERSION, content)
        row, name = self._rows.get(clip.id), track_name(clip.id, 0)
        unchanged = row is not None and row.key == key and row.state == "done"
        if unchanged and self.run.holds_keypoints(name, len(keypoints.frame)):
            self.summary.unchanged += 1
            return video, []
        if row is not None:
            self.summary.replaced += row.state == "done"
            # If this process is killed before the new rows are written, the old ones must not stand for the new file.
            old = [row, *self.run.ledger.rows("track", id=name)]
            self.run.ledger.put([replace(row, key="") for row in old])
        keypoints.save(path)
        self.summary.frames += len(keypoints.frame)
        measures = {"frames": len(keypoints.frame), "tracks": 1, "keypoint_set": keypoints.keypoint_set}
        first = {"frames": len(keypoints.frame), "first_frame": int(keypoints.frame[0])}
        return video, [
            Row("track", name, "done", key_of(key, name), parent=clip.id, measures=first),
            Row("extract", clip.id, "done", key, measures=measures),
        ]


def validate(keypoints: Keypoints2D) -> Keypoints2D:
    """The keypoints, if the stages can use them; otherwise raises `ClipError` or `InputError`.

    Scores above 1 by a rounding error become 1.
    """
    count = len(keypoint_set_named(keypoints.keypoint_set).names)
    if keypoints.xy.shape[1] != count:
        raise InputError(f"{keypoints.keypoint_set} has {count} keypoints, got {keypoints.xy.shape[1]}")
    if not len(keypoints.frame) or not all(1 <= side <= _LARGEST for side in keypoints.size):
        raise InputError(f"got {len(keypoints.frame)} frames of {keypoints.size[0]} x {keypoints.size[1]} pixels")
    score = keypoints.score
    if not ((score >= 0) & (score <= 1 + _ROUNDING)).all():
        raise InputError(f"scores must lie in [0, 1], got {largest_score(score):g}")
    if not (np.abs(keypoints.xy[score > 0]) <= _LARGEST).all():  # False for NaN
        raise InputError(f"some keypoints are NaN or infinite, or beyond {_LARGEST} pixels; give those a score of 0")
    for name, values in (("frame numbers", keypoints.frame), ("times", keypoints.time)):
        values = values.astype(np.float64)  # differences of unsigned numbers are never negative
        if not ((np.abs(values) < 2**31).all() and (np.diff(values) > 0).all()):
            raise InputError(f"{name} must increase from frame to frame, and stay below 2^31")
    if not _SLOWEST <= keypoints.fps <= _FASTEST:
        raise InputError(f"got {keypoints.fps:.3g} frames a second; expected {_SLOWEST:g} to {_FASTEST:g}")
    if float(keypoints.time[-1]) - float(keypoints.time[0]) > _LONGEST:
        raise InputError(f"lasts {_LONGEST / 3600:g} hours or more; cut it into parts, or check the times (seconds)")
    if (keypoints.frame != keypoints.frame.astype(np.int64)).any():
        raise InputError("frame numbers must be whole")
    if not np.isfinite(keypoints.camera).all():
        raise InputError("the camera's maps hold NaN or infinity; leave them out, and camera_known with them")
    if not (score > 0).any():
        raise InputError("no keypoint was seen in any frame")
    return replace(keypoints, score=np.minimum(score, 1)) if score.max() > 1 else keypoints


def _printable(text: str) -> str:
    """Text that UTF-8 can encode; names of files may contain other bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def largest_score(score: ndarray) -> float:
    """The score farthest from [0, 1]; NaN if any is."""
    return float(score.flat[np.argmax(np.abs(score - 0.5))])


def fill_unseen(keypoints: Keypoints2D) -> Keypoints2D:
    """Fill in the positions of hidden keypoints (score 0), because measures of the body use all of them.

    Linear interpolation in time; a keypoint that is never visible is put at the mean of the others.
    """
    missing = keypoints.score == 0
    if not missing.any():
        return keypoints
    xy, time = keypoints.xy.astype(np.float64), keypoints.time
    for k in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        visible = ~missing[:, k]
        for axis in range(2):
            xy[:, k, axis] = np.interp(time, time[visible], xy[visible, k, axis])
    never = missing.all(axis=0)
    xy[:, never] = xy[:, ~never].mean(axis=1, keepdims=True)
    return replace(keypoints, xy=xy.astype(np.float32))


def _content(keypoints: Keypoints2D) -> str:
    """Hash of everything in the file of these keypoints."""
    k = keypoints
    digest = hashlib.sha256(f"{k.xy.shape} {float(k.fps)!r} {tuple(map(int, k.size))} {k.keypoint_set}".encode())
    arrays = ((k.xy, "<f4"), (k.score, "<f4"), (k.frame, "<i4"), (k.time, "<f8"), (k.camera, "<f4"))
    world = ((k.world, "<f4"),) if k.world.size else ()
    for array, kind in (*arrays, (k.camera_known, "?"), *world):
        digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
    return digest.hexdigest()
