"""What a study of lifting found: one JSON file."""

from __future__ import annotations

from typing import ClassVar, Literal

from crossdiff.config import Config
from crossdiff.evaluation.result import DatasetRecord, ModelRecord, SavedResult
from crossdiff.studies.lift.metrics import Estimate


class LiftRow(Config):
    """One way to lift under one condition.

    seen: how often a clip was seen, once from every view; lost: of these, how often nothing came through the pipeline;
    scored: share of all true frames that were compared. values: by the keys of `METRICS`.
    beside: how much larger they are than those of the same clips lifted as usual, under the same condition or, where
    this is so lifted itself, seen without faults from the same sides.
    """

    condition: str
    method: str
    seen: int
    lost: int
    scored: float
    values: dict[str, Estimate]
    beside: dict[str, Estimate]


class LiftResult(SavedResult):
    """dataset: with the number of clips that were used. config: the resolved configuration."""

    made_by: ClassVar[str] = "crossdiff evaluate-lift"

    format: Literal[1] = 1
    date: str
    version: str
    model: ModelRecord
    dataset: DatasetRecord
    config: dict[str, object]
    device: str
    seconds: float
    rows: tuple[LiftRow, ...]

    def row(self, condition: str, method: str) -> LiftRow:
        return next(r for r in self.rows if (r.condition, r.method) == (condition, method))
