"""Selects the clips to train on; each gets a ledger row with its measures and the reason if it is rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field, NonNegativeFloat, PositiveInt

from crossdiff.config import Config
from crossdiff.pipeline.ledger import Row, key_of
from crossdiff.pipeline.measuring import MeasuredClip, measure_clips, sign_clips
from crossdiff.pipeline.motion2d.duplicates import find_duplicates
from crossdiff.pipeline.motion2d.window_search import Poses
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.summaries import ClipSummary, no_clips
from crossdiff.progress import track
from crossdiff.wording import counted


class FilterConfig(Config):
    """Limits on the measures of clips. They are checked in this order, and the first violation is the reason.

    The body is that of shoulders, elbows, wrists, hips, knees and ankles; its height is the longer side of its box.
    """

    seen_score: float = Field(0.3, ge=0, le=1)
    """Keypoints with a lower score count as not visible."""
    min_fps: NonNegativeFloat = 12.0
    """Lowest frame rate of the video, in frames per second."""
    min_frames: PositiveInt = 20
    """Shortest clip, in frames at 20 frames per second."""
    max_edge: float = Field(0.5, ge=0, le=1)
    """Highest fraction of frames in which the body touches or leaves the edge of the picture."""
    min_whole: float = Field(0.0, ge=0, le=1)
    """Lowest fraction of frames in which the whole body is visible."""
    min_height: NonNegativeFloat = 50.0
    """Smallest body height, in pixels."""
    min_score: float = Field(0.5, ge=0, le=1)
    """Lowest mean score of the body's keypoints."""
    min_joint_score: float = Field(0.05, ge=0, le=1)
    """Lowest mean score of the worst keypoint of the body."""
    max_bones: NonNegativeFloat = 0.08
    """Largest fluctuation of limb lengths, in body heights."""
    max_jitter: NonNegativeFloat = 0.06
    """Largest mean deviation from a straight path between neighbouring frames, in body heights."""
    max_camera_lost: float = Field(0.5, ge=0, le=1)
    """Highest fraction of frames in which the camera's movement is unknown."""
    max_camera: NonNegativeFloat = 5.0
    """Highest mean speed of the camera, in body heights per second."""
    min_motion: NonNegativeFloat = 0.03
    """Lowest mean speed of the body, in body heights per second."""
    min_difference: NonNegativeFloat = 0.025
    """Smallest distance to a better clip, in body heights; closer ones are duplicates. 0 keeps all."""
    per_label: PositiveInt | None = None
    """Most clips to keep of each label, best scores first; null keeps all. Clips without a label are not counted."""


# Reasons in words, in the order in which limits are checked.
REASONS = {
    "min_fps": "source frame rate too low",
    "min_frames": "too short",
    "max_edge": "cut off at the frame's edge",
    "min_whole": "body not whole",
    "min_height": "person too small",
    "min_score": "score too low",
    "min_joint_score": "a joint hardly seen",
    "max_bones": "limbs change length",
    "max_jitter": "jitter too high",
    "max_camera_lost": "camera movement unknown",
    "max_camera": "camera moves too fast",
    "min_motion": "no motion",
}
DUPLICATE, ENOUGH = "duplicate", "enough of this label"


@dataclass(frozen=True)
class Rejection:
    """A violated limit with the measured value."""

    reason: str
    value: float
    threshold: float


@dataclass
class FilterSummary(ClipSummary):
    """Counts of clips that were kept, filtered, or could not be read."""

    work = "read"
    kept: int = 0

    def __str__(self) -> str:
        return f"{self.kept} of {counted(self.clips, 'clip')} kept; {self.losses()}; {self.unchanged} unchanged"


def first_violation(
    measures: Mapping[str, float], cfg: Config, reasons: Mapping[str, str] = REASONS
) -> Rejection | None:
    """The first limit that is violated; None for a clip to keep. A limit `min_x` or `max_x` is on the measure `x`.

    reasons: reason for each limit, in the order of the checks; limits that are None in `cfg` are off, and so are those
    of measures that could not be taken.
    """
    for limit, reason in reasons.items():
        value, threshold = measures.get(limit[4:]), getattr(cfg, limit)
        if threshold is None or value is None:
            continue
        if value < threshold if limit.startswith("min_") else value > threshold:
            return Rejection(reason, value, threshold)
    return None


def filter_clips(run: Run, cfg: FilterConfig | None = None, workers: int | None = 1) -> FilterSummary:
    """Filter all clips of a run: first each on its measures, then in comparison with the others.

    Nothing is done if clips and limits are unchanged. Rows are written at the end, so that a kept clip stays kept.
    Without `cfg` the limits are those that the run was filtered with before, or the defaults.

    workers: see `map_clips`.
    """
    cfg = cfg or run.recorded("filter", FilterConfig)
    tracks = run.ledger.rows("track")
    if not tracks:
        raise no_clips(run)
    run.record_config("filter", cfg.model_dump())
    videos = run.ledger.videos()
    labels = {clip.id: videos[clip.parent].label for clip in tracks}
    old = {row.id: row for row in run.ledger.rows("filter")}
    # Keys of the measures and of the limits: changed limits measure nothing again.
    limits = cfg.model_dump()
    keys = {clip.id: f"{key_of(clip.key, cfg.seen_score)}-{key_of(labels[clip.id], limits)}" for clip in tracks}
    stale = [clip.id for clip in tracks if not _is_measured(old.get(clip.id), keys[clip.id])]
    reading = measure_clips(run, stale, cfg.seen_score, cfg.min_difference > 0, workers)
    measured = dict(zip(stale, track(reading, "clips", len(stale)), strict=True))
    rows = {clip.id: _judged(clip, keys[clip.id], cfg, old.get(clip.id), measured.get(clip.id)) for clip in tracks}
    poses = {name: found.poses for name, found in measured.items() if rows[name].state == "done"}
    del measured
    summary = FilterSummary(unchanged=sum(_is_unchanged(row, old.get(row.id)) for row in rows.values()))
    if summary.unchanged == len(rows) == len(old):
        rows = old
    else:
        rows = _compare(run, rows, labels, cfg, poses, workers)
        run.ledger.drop("filter", old.keys() - rows.keys())
        run.ledger.put(rows.values())
    for row in rows.values():
        _count(summary, row)
    return summary


def _is_unchanged(row: Row, old: Row | None) -> bool:
    """Whether a clip was filtered before with the same content and limits."""
    return old is not None and old.key == row.key and "failed" not in (old.state, row.state)


def _is_measured(old: Row | None, key: str) -> bool:
    """Whether a clip of the same content was measured before."""
    return old is not None and old.key.split("-")[0] == key.split("-")[0] and old.state != "failed"


def _judged(clip: Row, key: str, cfg: FilterConfig, old: Row | None, measured: MeasuredClip | None) -> Row:
    """The row of a clip before comparisons. measured: None where the measures of its old row hold."""
    if measured is None:
        assert old is not None
        measures = {name: value for name, value in old.measures.items() if name != "duplicate_of"}
    elif measured.error is not None:
        return Row("filter", clip.id, "failed", key, clip.parent, reason=measured.error)
    else:
        measures = dict(measured.measures)
    row = Row("filter", clip.id, "done", key, clip.parent, measures=measures)
    violation = first_violation(measures, cfg)
    return row if violation is None else rejected(row, violation)


def rejected(row: Row, rejection: Rejection, **more: str) -> Row:
    """The row with state `filtered` and the reason. more: further measures."""
    return replace(
        row,
        state="filtered",
        reason=rejection.reason,
        value=rejection.value,
        threshold=rejection.threshold,
        measures={**row.measures, **more},
    )


def _compare(
    run: Run,
    rows: Mapping[str, Row],
    labels: Mapping[str, str],
    cfg: FilterConfig,
    poses: Mapping[str, Poses | None],
    workers: int | None,
) -> dict[str, Row]:
    """All rows, after rejecting duplicates and clips beyond `per_label` among the kept ones.

    poses: signatures of the clips that were read now.
    """
    compared = dict(rows)
    kept = [row for row in rows.values() if row.state == "done"]
    if cfg.min_difference > 0:
        # Of duplicates, the one that shows more of the person is kept.
        kept.sort(key=lambda row: (-row.measures["frames"] * row.measures["score"], row.id))
        known = dict(poses)
        unread = [row.id for row in kept if row.id not in known]
        for name, found in zip(unread, track(sign_clips(run, unread, workers), "poses", len(unread)), strict=True):
            if isinstance(found, str):
                compared[name] = replace(rows[name], state="failed", reason=found, measures={})
            else:
                known[name] = found
        tracks = {row.id: signed for row in kept if (signed := known.get(row.id)) is not None}
        for name, duplicate in find_duplicates(tracks, cfg.min_difference).items():
            rejection = Rejection(DUPLICATE, round(duplicate.distance, 4), cfg.min_difference)
            compared[name] = rejected(rows[name], rejection, duplicate_of=duplicate.of)
    if cfg.per_label is not None:
        counts: Counter[str] = Counter()
        for row in sorted(kept, key=lambda row: (-row.measures["score"], row.id)):
            if compared[row.id].state == "done" and labels[row.id]:
                counts[labels[row.id]] += 1
                rank = counts[labels[row.id]]
                if rank > cfg.per_label:
                    compared[row.id] = rejected(row, Rejection(ENOUGH, rank, cfg.per_label))
    return compared


def _count(summary: FilterSummary, row: Row) -> None:
    summary.clips += 1
    if row.state == "done":
        summary.kept += 1
    elif row.state == "filtered":
        summary.filtered[str(row.reason)] += 1
    else:
        summary.failed[row.id] = str(row.reason)
