"""The result of an evaluation: a JSON file with its numbers, settings and inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import ValidationError

from crossdiff.checkpoint import weights_hash
from crossdiff.config import Config
from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import InputError
from crossdiff.files import read_json, write_json
from crossdiff.models import CrossDiffModel
from crossdiff.moved import moved_names

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

# Normal deviate of a two-sided interval of 95 %.
_Z95 = 1.96
Protocol = Literal["distinct", "classic"]


class Value(Config):
    """A metric's mean over the replications, and half the width of its 95 % interval, 1.96 std / sqrt(n)."""

    mean: float
    interval: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(
            mean=float(np.mean(values)),
            interval=_Z95 * float(np.std(values)) / math.sqrt(len(values)),
            values=tuple(float(v) for v in values),
        )

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.interval:.3f}"


class EvaluatorRecord(Config):
    """The evaluator behind the numbers; fingerprint: hashes of the weights and word vectors of all parts."""

    kind: Literal["t2m", "tmr"]
    fingerprint: str
    words: str
    dim: int
    trained_on: str
    parts: tuple[str, ...]


class ScoreTable(Config):
    """Scores by one evaluator: rows `Real` and the model's name, each with values by metric.

    protocol: batches of R-precision and MM-Dist are drawn at random (`classic`) or without shared captions
    (`distinct`). The other metrics do not depend on it.
    """

    evaluator: Literal["t2m", "tmr"]
    protocol: Protocol
    rows: dict[str, dict[str, Value]]


class DatasetRecord(Config):
    """The split of the evaluation, and the numbers of its clips and distinct captions."""

    folder: str
    split: str
    fingerprint: str
    clips: int
    captions: int

    @classmethod
    def of(cls, data: MocapDataset, clips: Sequence[int] | None = None) -> Self:
        """clips: indices of the clips that were used; None: all."""
        chosen = range(len(data)) if clips is None else clips
        texts = {caption.text for clip in chosen for caption in data.captions[clip]}
        return cls(
            folder=str(data.folder),
            split=data.split,
            fingerprint=data.fingerprint(),
            clips=len(chosen),
            captions=len(texts),
        )


class ModelRecord(Config):
    """The model that was evaluated; fingerprint: hash of its weights."""

    name: str
    folder: str
    fingerprint: str
    parameters: int

    @classmethod
    def of(cls, model: CrossDiffModel, checkpoint: Path, name: str) -> Self:
        """checkpoint: the folder that `model` was loaded from."""
        return cls(
            name=name,
            folder=str(checkpoint),
            fingerprint=weights_hash(checkpoint),
            parameters=sum(p.numel() for p in model.network.parameters()),
        )


class SavedResult(Config):
    """A result in a JSON file; made_by: the command that writes it."""

    made_by: ClassVar[str]

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote, or `result.json` in a folder."""
        path = path / "result.json" if path.is_dir() else path
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise InputError(
                f"{path}: not a result of `{cls.made_by}` ({'.'.join(map(str, first['loc']))}: {first['msg']}); "
                "evaluate the model again"
            ) from None


class EvaluationResult(SavedResult):
    """Scores of a model, and everything they depend on.

    config: the resolved evaluation configuration.
    most_frames: length that real clips were cropped to, the model's maximum.
    seconds_per_motion: time of sampling alone, on `device`.
    motion: values by row and measure (see `crossdiff.representation.physics`), which need no evaluator.
    """

    made_by: ClassVar[str] = "crossdiff evaluate"

    format: Literal[1] = 1
    date: str
    version: str
    model: ModelRecord
    dataset: DatasetRecord
    evaluators: tuple[EvaluatorRecord, ...]
    config: dict[str, object]
    most_frames: int
    device: str
    seconds_per_motion: float
    tables: tuple[ScoreTable, ...]
    motion: dict[str, dict[str, Value]]

    def named(self) -> Self:
        """A copy with the names of folders in place of their paths, to be shared with the model."""
        model = self.model.model_copy(update={"folder": Path(self.model.folder).name})
        dataset = self.dataset.model_copy(update={"folder": Path(self.dataset.folder).name})
        return self.model_copy(update={"model": model, "dataset": dataset})
