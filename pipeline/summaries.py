"""Summaries of the stages of a run, and the errors of stages without input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from crossdiff.errors import InputError
from crossdiff.pipeline.run import Run
from crossdiff.wording import Failures


@dataclass(kw_only=True)
class StageSummary(Failures):
    """Counts of the inputs of a stage."""

    unchanged: int = 0
    """Number of inputs that were not processed again, as neither their content nor the settings have changed."""
    filtered: Counter[str] = field(default_factory=Counter)
    """Number of filtered inputs for each reason."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reasons by the failed input's name."""

    def reasons(self) -> Mapping[str, str]:
        return dict(sorted(self.failed.items()))

    def losses(self) -> str:
        """`3 filtered (2 no motion, 1 too short), 1 failed`."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.filtered.most_common())
        return f"{self.filtered.total()} filtered{f' ({reasons})' if reasons else ''}, {len(self.failed)} failed"


@dataclass(kw_only=True)
class ClipSummary(StageSummary):
    """Summary of a stage whose inputs are clips."""

    work: ClassVar[str]
    """Past participle of what the stage does with a clip, such as `imported`, for the message if all clips failed."""
    clips: int = 0
    """Number of clips."""

    def what_failed(self) -> str:
        if self.has_results():
            return f"{len(self.failed)} of {self.clips} clips failed"
        return f"no clip could be {self.work}; fix or replace them"

    def has_results(self) -> bool:
        return len(self.failed) < self.clips


def no_clips(run: Run) -> InputError:
    """The error of a run without tracks."""
    extract = f"`crossdiff extract-2d VIDEOS --out {run.root}`"
    videos = len(run.ledger.rows("extract"))
    if not videos:
        return InputError(f"{run.root}: holds no clips; run {extract} first")
    return InputError(
        f"{run.root}: none of its videos ({videos}) could be used; see `crossdiff status {run.root} --stage extract`, "
        f"and add other videos with {extract}"
    )


def no_motions(run: Run) -> InputError:
    """The error of a run without 2D motions: why its clips were dropped, and the limits that can be changed."""
    dropped = [row for stage in ("filter", "build") for row in run.ledger.rows(stage) if row.state != "done"]
    if not dropped:
        return InputError(
            f"{run.root}: no 2D motion to lift (nothing built yet); run `crossdiff build-2d {run.root}` first"
        )
    reasons = Counter("failed" if row.state == "failed" else str(row.reason) for row in dropped)
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    first = next((row for row in dropped if row.state == "filtered"), dropped[0])
    command = "filter" if first.stage == "filter" else "build-2d"
    loosen = f"loosen limits with `crossdiff {command} {run.root} --set LIMIT=VALUE`"
    remedy = loosen if first.state == "filtered" else "fix what failed"
    return InputError(
        f"{run.root}: no 2D motion to lift ({counts}); see `crossdiff status {run.root} --stage {first.stage}`, "
        f"then {remedy}, or give other videos"
    )
