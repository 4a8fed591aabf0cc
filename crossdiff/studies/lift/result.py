"""The result of a study of lifting, a JSON file."""

from __future__ import annotations

from typing import ClassVar, Literal

from crossdiff.config import Config
from crossdiff.evaluation.result import DatasetRecord, ModelRecord, SavedResult
from crossdiff.studies.lift.metrics import Estimate


class LiftRow(Config):
    """One way to lift under one condition.

    seen: number of views of clips.
    lost: number of those that the pipeline rejects entirely.
    scored: fraction of all true frames that were compared.
    values: by the keys of `METRICS`.
    beside: difference to the same clips lifted by default under the same condition; for the default itself, to those
    without detector errors from the same sides.
    """

    condition: str
    method: str
    seen: int
    lost: int
    scored: float
    values: dict[str, Estimate]
    beside: dict[str, Estimate]


class LiftResult(SavedResult):
    """Accuracy of a model. dataset: counts the clips that were used; config: the resolved configuration."""

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
