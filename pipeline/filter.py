"""Which tracks are good enough to learn from; every one gets a row with its measures and, if refused, why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field, NonNegativeFloat, PositiveInt

from crossdiff.config import Config
from crossdiff.errors import ClipError, InputError, PartialFailure
from crossdiff.pipeline.ledger import Row, key_of
from crossdiff.pipeline.measures import measure
from crossdiff.pipeline.run import Run
from crossdiff.progress import track
from crossdiff.types import Keypoints2D
from crossdiff.wording import counted, listed


class FilterConfig(Config):
    """Limits on the measures of `pipeline.measures.measure`, checked in this order; the first missed is the reason.

    Units: frames per second; frames at 20 fps; pixels; scores and shares in [0, 1]; jitter in body heights,
    motion in body heights per second. seen_score: a keypoint below it counts as unseen.
    """

    seen_score: float = Field(0.3, ge=0, le=1)
    min_fps: NonNegativeFloat = 12.0
    min_frames: PositiveInt = 40
    min_height: NonNegativeFloat = 50.0
    min_score: float = Field(0.5, ge=0, le=1)
    # A limb behind the body counts as unseen: people seen from the side reach 0.3 to 0.5.
    min_whole: float = Field(0.25, ge=0, le=1)
    max_edge: float = Field(0.5, ge=0, le=1)
    max_jitter: NonNegativeFloat = 0.06
    min_motion: NonNegativeFloat = 0.03


# Reasons as people read them, in the order in which limits are checked.
REASONS = {
    "min_fps": "source frame rate too low",
    "min_frames": "too short",
    "min_height": "person too small",
    "min_score": "score too low",
    "min_whole": "body not whole",
    "max_edge": "cut off at the frame's edge",
    "max_jitter": "jitter too high",
    "min_motion": "no motion",
}


@dataclass(frozen=True)
class Verdict:
    """The first limit that a clip missed, with what was measured."""

    reason: str
    value: float
    threshold: float


@dataclass
class FilterSummary:
    """What the filter did. reasons: how many clips were refused for each."""

    clips: int = 0
    kept: int = 0
    unchanged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
        return (
            f"{self.kept} of {counted(self.clips, 'clip')} kept; {self.reasons.total()} filtered"
            f"{f' ({reasons})' if reasons else ''}, {len(self.failed)} failed; {self.unchanged} unchanged"
        )

    def raise_failures(self) -> None:
        if self.failed:
            raise PartialFailure(f"{len(self.failed)} of {self.clips} clips failed:{listed(self.failed)}")


def judge(measures: Mapping[str, float], cfg: FilterConfig) -> Verdict | None:
    """The first limit missed; None for a clip to keep. A limit `min_x` or `max_x` is on the measure `x`."""
    for limit, reason in REASONS.items():
        value, threshold = measures[limit[4:]], getattr(cfg, limit)
        if value < threshold if limit.startswith("min_") else value > threshold:
            return Verdict(reason, value, threshold)
    return None


def filter_clips(run: Run, cfg: FilterConfig | None = None) -> FilterSummary:
    """Judge every track of a run; those judged before, with the same content and limits, are left alone.

    Without `cfg` the limits are those that the run was filtered with before, else the defaults.
    """
    cfg = cfg or run.recorded("filter", FilterConfig)
    tracks = run.ledger.rows("track")
    if not tracks:
        raise InputError(f"{run.root}: {_why_none(run)}")
    run.record_config("filter", cfg.model_dump())
    gone = {row.id for row in run.ledger.rows("filter")} - {row.id for row in tracks}
    run.ledger.drop("filter", gone)
    summary = FilterSummary()
    for clip in track(tracks, "clips"):
        key = key_of(clip.key, cfg.model_dump())
        row = run.ledger.get("filter", clip.id)
        if row is not None and row.key == key and row.state != "failed":
            summary.unchanged += 1
        else:
            row = _judge_clip(run, clip, key, cfg)
            run.ledger.put([row])
        _count(summary, row)
    return summary


def _why_none(run: Run) -> str:
    add = f"`crossdiff extract-2d VIDEOS --out {run.root}`"
    if tried := run.ledger.rows("extract"):
        return (
            f"none of its videos ({len(tried)}) could be used; see `crossdiff status {run.root} "
            f"--stage extract`, and add other videos with {add}"
        )
    return f"holds no clips; run {add} first"


def _judge_clip(run: Run, clip: Row, key: str, cfg: FilterConfig) -> Row:
    try:
        measures = measure(Keypoints2D.load(run.keypoints / f"{clip.id}.npz"), cfg.seen_score)
    except (ClipError, InputError) as error:
        return Row("filter", clip.id, "failed", key, clip.parent, reason=str(error))
    missed = judge(measures, cfg)
    rounded = {name: round(value, 4) for name, value in measures.items()}
    if missed is None:
        return Row("filter", clip.id, "done", key, clip.parent, measures=rounded)
    return Row("filter", clip.id, "filtered", key, clip.parent, missed.reason, missed.value, missed.threshold, rounded)


def _count(summary: FilterSummary, row: Row) -> None:
    summary.clips += 1
    if row.state == "done":
        summary.kept += 1
    elif row.state == "filtered":
        summary.reasons[str(row.reason)] += 1
    else:
        summary.failed[row.id] = str(row.reason)
