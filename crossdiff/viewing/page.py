"""Pages of figures, facts, tables and commands: one HTML file, or Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import quote

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from crossdiff.errors import InputError
from crossdiff.files import write_text
from crossdiff.templates import fill_template
from crossdiff.viewing.palette import page_colours

_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"}
_VIDEOS = {".mp4", ".webm"}


@dataclass(frozen=True)
class Figure:
    """A video or picture beside the page."""

    src: str
    """Path relative to the page, with forward slashes."""
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
class Cell:
    """A value in a table."""

    text: str
    interval: str = ""
    """Half the width of its interval; empty without one."""
    best: bool = False
    """Whether it is marked as the best of its column."""

    def __str__(self) -> str:
        """As Markdown."""
        text = _escaped(self.text) + (f" ± {self.interval}" if self.interval else "")
        return f"**{text}**" if self.best else text


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    better: str = ""
    """Arrow after the title; empty if neither direction is better."""
    numeric: bool = True
    """Whether values are aligned as numbers."""

    def __str__(self) -> str:
        """As Markdown."""
        return _escaped(f"{self.title} {self.better}".strip())


@dataclass(frozen=True)
class Table:
    """A table with a cell per row and column."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    named: bool = False
    """Whether the first column holds the names of the rows."""

    def __post_init__(self) -> None:
        wrong = {len(row) for row in self.rows} - {len(self.columns)}
        if wrong:
            raise InputError(f"table: expected {len(self.columns)} cells in every row, got {min(wrong)} in one")

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Table:
        """A data frame. A named index, or one that is not just 0, 1, 2 ..., becomes the first column."""
        if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
            frame = frame.reset_index(names=frame.index.name or "")
        numeric = [is_numeric_dtype(kind) and not is_bool_dtype(kind) for kind in frame.dtypes]
        columns = [Column(str(name), numeric=number) for name, number in zip(frame.columns, numeric, strict=True)]
        rows = [[Cell(_text(value)) for value in row] for row in frame.itertuples(index=False, name=None)]
        return cls(columns, rows)

    def to_markdown(self) -> str:
        """Lines of a Markdown table."""
        rules = ["---:" if column.numeric else "---" for column in self.columns]
        lines = [[str(column) for column in self.columns], rules, *([str(cell) for cell in row] for row in self.rows)]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str
    text: str = ""
    """Paragraphs, separated by empty lines."""
    figures: Sequence[Figure] = ()
    table: pd.DataFrame | Table | None = None
    facts: Sequence[tuple[str, str]] = ()
    """Names and values."""
    code: str = ""
    """Commands, one per line."""
    pairs: bool = False
    """Whether figures belong together two by two, and stand in rows of two."""

    @property
    def paragraphs(self) -> list[str]:
        return [part.strip() for part in self.text.split("\n\n") if part.strip()]

    @property
    def rows(self) -> Table | None:
        """The table, unless it has no columns."""
        table = Table.of(self.table) if isinstance(self.table, pd.DataFrame) else self.table
        return table if table is not None and table.columns else None

    @property
    def layout(self) -> Literal["one", "pairs", "many"]:
        """How figures stand on a wide screen; four stand in two rows of two, as three columns would leave one alone."""
        if len(self.figures) < 2:
            return "one"
        return "pairs" if self.pairs or len(self.figures) == 4 else "many"

    def to_markdown(self) -> str:
        parts = [f"## {_escaped(self.title)}", *map(_escaped, self.paragraphs)]
        parts += [f"![{_escaped(figure.caption)}]({figure.url})" for figure in self.figures]
        parts += ["\n".join(f"- {_escaped(name)}: {_escaped(value)}" for name, value in self.facts)] * bool(self.facts)
        parts += [self.rows.to_markdown().rstrip()] if self.rows is not None else []
        parts += [f"```\n{self.code}\n```"] if self.code else []
        return "\n\n".join(parts)


@dataclass(frozen=True)
class Page:
    """A document of sections, as HTML or Markdown. lead: one sentence under the title."""

    title: str
    lead: str = ""
    sections: Sequence[Section] = field(default_factory=list)
    footer: str = ""

    def to_html(self) -> str:
        return fill_template("crossdiff.viewing", "page.html", page=self, colours=page_colours())

    def to_markdown(self) -> str:
        texts = [f"# {_escaped(self.title)}", _escaped(self.lead)]
        texts += [*(section.to_markdown() for section in self.sections), _escaped(self.footer)]
        return "\n\n".join(text for text in texts if text) + "\n"


def _text(value: object) -> str:
    """A cell's text: floats to four digits, a dash for a missing value."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _escaped(text: str) -> str:
    """Text that Markdown shows unchanged."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))


def check_page(path: Path) -> None:
    """InputError if the name does not end in .html."""
    if path.suffix.lower() != ".html":
        raise InputError(f"{path}: pages are written as .html; change the name")


def write_page(path: Path, page: Page, with_markdown: bool = False) -> Path:
    """Write the page as one HTML file; every figure must already be beside it. with_markdown: also as .md."""
    check_page(path)
    missing = [f.src for s in page.sections for f in s.figures if not (path.parent / f.src).is_file()]
    if missing:
        raise InputError(f"{path}: no such file beside the page: {', '.join(missing)}; write the figures first")
    write_text(path, page.to_html())
    if with_markdown:
        write_text(path.with_suffix(".md"), page.to_markdown())
    return path
