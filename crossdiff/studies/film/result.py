"""The result of a study of film with measured 3D motion, a JSON file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np

from crossdiff.config import Config
from crossdiff.evaluation.result import ModelRecord, SavedResult


class MeanError(Config):
    """A mean over videos and its standard error; None without any, or with one alone."""

    mean: float | None
    error: float | None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Self:
        """Missing values are left out."""
        known = np.array([value for value in values if value is not None])
        error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None
        return cls(mean=float(known.mean()) if len(known) else None, error=error)


class VideoResult(Config):
    """One video. Rows are by method, None where a value is missing.

    truth: frames of the truth; compared: label frames that were compared; labels: measured labels; rejected: those of
    them that pseudo-label rejects; overlapping: labels left out because a better one has the same frames.
    values: by the keys of `MEASURES`, means over the compared frames; empty if none was compared.
    coverage: by the keys of `COVERAGE`, over all truth frames.
    """

    name: str
    source: str
    truth: int
    compared: int
    labels: int
    rejected: int
    overlapping: int
    values: dict[str, dict[str, float | None]]
    coverage: dict[str, dict[str, float | None]]


class GroupResult(Config):
    """Means over the videos of a group. labelled: the number of videos with compared frames, which `values` are of."""

    name: str
    videos: int
    labelled: int
    values: dict[str, dict[str, MeanError]]
    coverage: dict[str, dict[str, MeanError]]

    @classmethod
    def of(cls, name: str, videos: Sequence[VideoResult]) -> Self:
        compared = [video.values for video in videos if video.values]
        return cls(
            name=name,
            videos=len(videos),
            labelled=len(compared),
            values=_means(compared),
            coverage=_means([video.coverage for video in videos]),
        )


def _means(tables: Sequence[dict[str, dict[str, float | None]]]) -> dict[str, dict[str, MeanError]]:
    """Means over tables that have the same rows and columns."""
    rows = tables[0] if tables else {}
    return {
        row: {column: MeanError.of([table[row][column] for table in tables]) for column in columns}
        for row, columns in rows.items()
    }


class SettingResult(Config):
    """The labels of one setting: all videos together, by group, and each."""

    name: str
    overall: GroupResult
    groups: tuple[GroupResult, ...]
    videos: tuple[VideoResult, ...]


class FilmRecord(Config):
    """The film. landmarks: where the detector's own 3D comes from; None: it gives none."""

    folder: str
    fingerprint: str
    videos: int
    landmarks: Literal["file", "run"] | None


class FilmResult(SavedResult):
    """Accuracy of a model's labels on film. config: the resolved configuration; failures: inputs that failed."""

    made_by: ClassVar[str] = "crossdiff evaluate-lift --film"

    format: Literal[1] = 1
    date: str
    version: str
    model: ModelRecord
    film: FilmRecord
    config: dict[str, object]
    device: str
    seconds: float
    settings: tuple[SettingResult, ...]
    failures: tuple[str, ...] = ()
