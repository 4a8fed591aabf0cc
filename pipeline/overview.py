"""A run's ledger in a terminal: counts by reason, and the rows of a stage, at most 100 columns wide."""

from __future__ import annotations

import re
from collections.abc import Hashable

import pandas as pd

WIDTH = 100
# Reasons printed for one state of a stage, and rows of a stage.
MOST_REASONS, MOST_ROWS = 12, 40
_CELL = 60
# Words with a slash, or with the suffix of a file.
_FILE = re.compile(r"[^\s:,;()']*/[^\s:,;()']+|[^\s:,;()'/]+\.(?:mp4|avi|mov|mkv|webm|m4v|npz|npy|json|csv|txt)\b")
_NUMBER = re.compile(r"(?<!\w)\d+(?:\.\d+)?(?:e[+-]?\d+|x\d+)?")


def without_numbers(reason: str) -> str:
    """The reason with `N` for each number and `FILE` for each file, so that those of many items are one.

    >>> without_numbers("sub/a.mp4: 12 frames of 640x480, need 40")
    'FILE: N frames of N, need N'
    """
    return _NUMBER.sub("N", _FILE.sub("FILE", reason))


def grouped_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """`Ledger.counts`, with reasons that differ in numbers and files alone added up, the most frequent first.

    A reason that nothing was added to stays as it is. Of each state, the reasons after the first `MOST_REASONS` are one
    row.
    """
    rows: list[tuple[object, object, int, int, str]] = []
    alike = counts.assign(kind=[without_numbers(reason) for reason in counts["reason"]])
    for (stage, state), part in alike.groupby(["stage", "state"], sort=False):
        kinds: list[tuple[object, object, int, int, str]] = []
        for kind, group in part.groupby("kind", sort=False):
            reason = str(group["reason"].iloc[0] if len(group) == 1 else kind)
            kinds.append((stage, state, int(group["items"].sum()), int(group["attempts"].max()), reason))
        kinds.sort(key=lambda row: -row[2])
        rest = kinds[MOST_REASONS:]
        rows += kinds[:MOST_REASONS]
        if rest:
            items, attempts = sum(row[2] for row in rest), max(row[3] for row in rest)
            rows.append((stage, state, items, attempts, f"({len(rest)} other reasons; see --csv FILE)"))
    return pd.DataFrame(rows, columns=["stage", "state", "items", "attempts", "reason"])


def counts_text(counts: pd.DataFrame) -> str:
    """`grouped_counts` as a table of at most `WIDTH` columns, of which the last, the reason, is cut."""
    if not len(counts):
        return "no rows"
    table = grouped_counts(counts)
    widths = {name: max(len(name), *(len(str(cell)) for cell in table[name])) for name in table.columns[:-1]}
    numbers = ("items", "attempts")
    lines = []
    header: dict[Hashable, object] = {name: name for name in table.columns}
    for row in [header, *table.to_dict("records")]:
        cells = [str(row[n]).rjust(w) if n in numbers else str(row[n]).ljust(w) for n, w in widths.items()]
        lines.append(_cut("  ".join([*cells, str(row["reason"])]).rstrip(), WIDTH))
    return "\n".join(lines)


def rows_text(table: pd.DataFrame) -> str:
    """The first `MOST_ROWS` rows of `Ledger.table`, in blocks of columns that fit `WIDTH`."""
    if not len(table):
        return "no rows"
    shown = table.head(MOST_ROWS).map(lambda cell: _cut(cell, _CELL) if isinstance(cell, str) else cell)
    text = shown.to_string(index=False, na_rep="", line_width=WIDTH)
    rest = len(table) - len(shown)
    return text + (f"\n... and {rest} more; --csv FILE or --json has all" if rest else "")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
