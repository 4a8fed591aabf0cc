"""One web page that shows a run: videos side by side, facts, tables and commands, in a single file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from crossdiff.errors import InputError
from crossdiff.files import write_text
from crossdiff.templates import fill_template

_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"}
_VIDEOS = {".mp4", ".webm"}


@dataclass(frozen=True)
class Figure:
    """A video or picture beside the page. src: its path relative to the page, with forward slashes."""

    src: str
    caption: str

    def __post_init__(self) -> None:
        path = PurePosixPath(self.src)
        if not self.src or path.is_absolute() or ".." in path.parts or "\\" in self.src or ":" in self.src:
            raise InputError(f"figure {self.src!r}: must be a path relative to the page, inside its folder")
        if path.suffix.lower() not in _IMAGES | _VIDEOS:
            raise InputError(f"figure {self.src!r}: must end in one of {', '.join(sorted(_IMAGES | _VIDEOS))}")

    @property
    def url(self) -> str:
        return quote(self.src)

    @property
    def is_video(self) -> bool:
        return PurePosixPath(self.src).suffix.lower() in _VIDEOS


@dataclass(frozen=True)
class Section:
    """A part of the page. text: paragraphs, split at empty lines; facts: (name, value); code: commands, one a line."""

    title: str
    text: str = ""
    videos: Sequence[Figure] = ()
    table: pd.DataFrame | None = None
    facts: Sequence[tuple[str, str]] = ()
    code: str = ""

    @property
    def paragraphs(self) -> list[str]:
        return [part.strip() for part in self.text.split("\n\n") if part.strip()]

    @property
    def rows(self) -> Table | None:
        return None if self.table is None or not len(self.table.columns) else Table.of(self.table)


@dataclass(frozen=True)
class Page:
    """What `write_page` writes. lead: one sentence under the title."""

    title: str
    lead: str = ""
    sections: Sequence[Section] = field(default_factory=list)
    footer: str = ""


@dataclass(frozen=True)
class Table:
    """A data frame as text: column names, which of them hold numbers, and rows of cells."""

    columns: list[str]
    numeric: list[bool]
    cells: list[list[str]]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Table:
        """A named index, or one that is not just 0, 1, 2 ..., becomes the first column."""
        if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
            frame = frame.reset_index(names=frame.index.name or "")
        numeric = [is_numeric_dtype(kind) and not is_bool_dtype(kind) for kind in frame.dtypes]
        cells = [[_text(value) for value in row] for row in frame.itertuples(index=False, name=None)]
        return cls([str(name) for name in frame.columns], numeric, cells)


def _text(value: object) -> str:
    """A cell: floats to four digits, a dash for a missing value."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def check_page(path: Path) -> None:
    """InputError where a page may not have this name."""
    if path.suffix.lower() != ".html":
        raise InputError(f"{path}: pages are written as .html; change the name")


def write_page(path: Path, page: Page) -> Path:
    """Write the page as one HTML file; every figure must already lie beside it."""
    check_page(path)
    missing = [f.src for s in page.sections for f in s.videos if not (path.parent / f.src).is_file()]
    if missing:
        raise InputError(f"{path}: no such file beside the page: {', '.join(missing)}; write the figures first")
    write_text(path, fill_template("crossdiff.viewing", "page.html", page=page))
    return path
