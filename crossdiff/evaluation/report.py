"""A result as the field's table: Markdown, one HTML page, and the JSON that both are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from crossdiff.evaluation.result import EvaluationResult, EvaluatorRecord, Table, Value
from crossdiff.files import write_text
from crossdiff.representation.physics import MEASURES
from crossdiff.templates import fill_template
from crossdiff.wording import counted

REAL = "Real"
Better = Literal["higher", "lower", "real"]

# The field's metrics, in the order of its tables.
METRICS: dict[str, Better] = {
    "R-precision top 1": "higher",
    "R-precision top 2": "higher",
    "R-precision top 3": "higher",
    "FID": "lower",
    "FID-U": "lower",
    "FID-L": "lower",
    "MM-Dist": "lower",
    "Diversity": "real",
    "MultiModality": "higher",
}
ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "real": f"→ {REAL}"}
_PROTOCOLS = {
    "classic": "the batches of R-precision and MM-Dist are drawn at random (protocol classic)",
    "distinct": "no two clips of a batch of R-precision and MM-Dist share a caption (protocol distinct)",
}
_INTERVALS = "± is half the width of the 95 % interval over the replications, 1.96 std / sqrt(n)."
MISSING = "-"


@dataclass(frozen=True)
class Cell:
    """What a table shows of a value; interval: empty where there is none."""

    mean: str
    interval: str = ""
    best: bool = False

    @classmethod
    def of(cls, value: Value | None) -> Cell:
        """A single replication has no interval."""
        if value is None:
            return cls(MISSING)
        digits = 3 if abs(value.mean) < 100 else 1
        interval = f"{value.interval:.{digits}f}" if len(value.values) > 1 else ""
        return cls(f"{value.mean:.{digits}f}", interval)

    def __str__(self) -> str:
        text = f"{self.mean} ± {self.interval}" if self.interval else self.mean
        return f"**{text}**" if self.best else text


@dataclass(frozen=True)
class Column:
    """better: an arrow; empty for a column of words."""

    title: str
    better: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table with a title and a sentence; each row is its name and a cell per column."""

    title: str
    text: str
    columns: Sequence[Column]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    words: bool = False


@dataclass(frozen=True)
class Document:
    """What both forms of a report show. facts: what the numbers depend on, (name, value); pictures: (file beside the
    report, what it shows)."""

    title: str
    lead: str
    sheets: Sequence[Sheet]
    facts: Sequence[tuple[str, str]]
    facts_title: str = "What these numbers depend on"
    pictures: Sequence[tuple[str, str]] = ()


def markdown(result: EvaluationResult) -> str:
    return to_markdown(document(result))


def html(result: EvaluationResult) -> str:
    return to_html(document(result))


def write_report(result: EvaluationResult, folder: Path) -> Path:
    """Write result.json, report.md and report.html into the folder; returns the page."""
    result.save(folder / "result.json")
    write_text(folder / "report.md", markdown(result))
    write_text(folder / "report.html", html(result))
    return folder / "report.html"


def document(result: EvaluationResult) -> Document:
    data = result.dataset
    lead = f"{data.folder}, split {data.split}: {counted(data.clips, 'clip')}, {counted(data.captions, 'caption')}."
    sheets = [metric_sheet(table, result.evaluators) for table in result.tables]
    sheets += [motion_sheet(result.motion)] if result.motion else []
    return Document(f"How good {result.model.name} is", lead, sheets, list(facts(result).items()))


# --- tables ---


def metric_sheet(table: Table, evaluators: Sequence[EvaluatorRecord]) -> Sheet:
    """The table of one evaluator and protocol."""
    used = [e for e in evaluators if e.kind == table.evaluator]
    trained = f", trained on {used[0].trained_on}, words from {used[0].words}" if used else ""
    text = f"Evaluator {table.evaluator}{trained}; {_PROTOCOLS[table.protocol]}. {_INTERVALS}"
    names = in_order(table.rows, METRICS)
    columns = [Column(name, ARROWS[METRICS[name]] if name in METRICS else "") for name in names]
    return Sheet(f"Evaluator {table.evaluator}, protocol {table.protocol}", text, columns, _rows(table.rows, names))


def motion_sheet(motion: Mapping[str, Mapping[str, Value]]) -> Sheet:
    """The table of measures that need no evaluator."""
    names = in_order(motion, MEASURES)
    columns = []
    for name in names:
        measure = MEASURES.get(name)
        unit = f", {measure.unit}" if measure and measure.unit else ""
        columns.append(Column(f"{measure.title}{unit}", ARROWS[measure.better]) if measure else Column(name))
    what = " ".join(f"{MEASURES[name].title}: {MEASURES[name].what}." for name in names if name in MEASURES)
    return Sheet("Measures of motion", f"They need no evaluator. {what} {_INTERVALS}", columns, _rows(motion, names))


def in_order(rows: Mapping[str, Mapping[str, object]], known: Mapping[str, object]) -> list[str]:
    """Keys that some row has: the known ones in their order, then others."""
    present = dict.fromkeys(name for row in rows.values() for name in row)
    return [name for name in known if name in present] + [name for name in present if name not in known]


def _rows(rows: Mapping[str, Mapping[str, Value]], names: Sequence[str]) -> list[tuple[str, list[Cell]]]:
    ordered = sorted(rows, key=lambda name: name != REAL)
    return [(row, [Cell.of(rows[row].get(name)) for name in names]) for row in ordered]


# --- what the numbers depend on ---


def facts(result: EvaluationResult) -> dict[str, str]:
    """Name -> value of all that the numbers depend on, the whole configuration included."""
    model, data = result.model, result.dataset
    parts = {e.kind: ", ".join(e.parts) for e in result.evaluators}
    found = {
        "model": f"{model.name} ({model.parameters:,} parameters), {model.folder}",
        "model's hash": model.fingerprint,
        "dataset": f"{data.folder}, split {data.split}",
        "dataset's fingerprint": data.fingerprint,
        "clips, captions": f"{data.clips}, {data.captions}",
    }
    for e in result.evaluators:
        found[f"evaluator {e.kind}"] = f"{parts[e.kind]}; {e.dim} wide; trained on {e.trained_on}; words: {e.words}"
        found[f"evaluator {e.kind}'s hash"] = e.fingerprint
    return found | flat(result.config) | {
        "device": result.device,
        "seconds per motion": f"{result.seconds_per_motion:.3g}",
        "date": result.date,
        "crossdiff": result.version,
    }  # fmt: skip


def flat(config: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """`{"a": {"b": 1}}` as `{"a.b": "1"}`."""
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return found


# --- the two forms ---


def to_markdown(page: Document) -> str:
    lines = [f"# {_escaped(page.title)}", "", _escaped(page.lead), ""]
    for source, caption in page.pictures:
        lines += [f"![{_escaped(caption)}]({source})", "", _escaped(caption), ""]
    for sheet in page.sheets:
        heads = ["", *(_escaped(f"{c.title} {c.better}".strip()) for c in sheet.columns)]
        lines += [f"## {_escaped(sheet.title)}", "", _escaped(sheet.text), "", _line(heads)]
        lines.append(_line(["---", *(["---" if sheet.words else "---:"] * len(sheet.columns))]))
        for name, cells in sheet.rows:
            shown = [str(replace(cell, mean=_escaped(cell.mean))) for cell in cells]
            lines.append(_line([_escaped(name), *shown]))
        lines.append("")
    lines += [f"## {_escaped(page.facts_title)}", ""]
    lines += [f"- {_escaped(name)}: {_escaped(value)}" for name, value in page.facts]
    return "\n".join(lines) + "\n"


def to_html(page: Document) -> str:
    return fill_template("crossdiff.evaluation", "report.html", page=page)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))
