"""What a study of lifting found: one JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError

from crossdiff.config import Config
from crossdiff.errors import InputError
from crossdiff.evaluation.result import DatasetRecord, ModelRecord
from crossdiff.files import read_json, write_json
from crossdiff.studies.lift_metrics import Estimate


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


class LiftResult(Config):
    """dataset: with the number of clips that were used. config: the resolved configuration."""

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

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote, or the folder that holds it as `result.json`."""
        path = path / "result.json" if path.is_dir() else path
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise InputError(
                f"{path}: not a result of `crossdiff evaluate-lift` ({'.'.join(map(str, first['loc']))}: "
                f"{first['msg']}); evaluate the model again"
            ) from None
