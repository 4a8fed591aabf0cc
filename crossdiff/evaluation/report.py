"""A result as the field's table, in Markdown and HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from crossdiff.evaluation.result import EvaluationResult, EvaluatorRecord, ScoreTable, Value
from crossdiff.representation.physics import MEASURES
from crossdiff.viewing.page import Cell, Column, Page, Section, Table, write_page
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
FACTS_TITLE = "What these numbers depend on"


def value_cell(value: Value | None) -> Cell:
    """A metric's mean and interval; a single replication has no interval."""
    if value is None:
        return Cell(MISSING)
    digits = 3 if abs(value.mean) < 100 else 1
    interval = f"{value.interval:.{digits}f}" if len(value.values) > 1 else ""
    return Cell(f"{value.mean:.{digits}f}", interval)


def markdown(result: EvaluationResult) -> str:
    return report_page(result).to_markdown()


def write_report(result: EvaluationResult, folder: Path) -> Path:
    """Write result.json, report.md and report.html into the folder; returns the page."""
    result.save(folder / "result.json")
    return write_page(folder / "report.html", report_page(result), with_markdown=True)


def report_page(result: EvaluationResult) -> Page:
    """The tables of a result, and the settings and inputs that its numbers depend on."""
    data = result.dataset
    lead = f"{data.folder}, split {data.split}: {counted(data.clips, 'clip')}, {counted(data.captions, 'caption')}."
    sections = [metric_section(table, result.evaluators) for table in result.tables]
    sections += [motion_section(result.motion)] if result.motion else []
    sections.append(Section(FACTS_TITLE, facts=list(facts(result).items())))
    return Page(f"How good {result.model.name} is", lead, sections)


# --- tables ---


def metric_section(table: ScoreTable, evaluators: Sequence[EvaluatorRecord]) -> Section:
    """Section with the table of one evaluator and protocol."""
    used = [e for e in evaluators if e.kind == table.evaluator]
    trained = f", trained on {used[0].trained_on}, words from {used[0].words}" if used else ""
    text = f"Evaluator {table.evaluator}{trained}; {_PROTOCOLS[table.protocol]}. {_INTERVALS}"
    names = in_order(table.rows, METRICS)
    columns = [Column(name, ARROWS[METRICS[name]] if name in METRICS else "") for name in names]
    title = f"Evaluator {table.evaluator}, protocol {table.protocol}"
    return Section(title, text, table=named_table(columns, _rows(table.rows, names)))


def motion_section(motion: Mapping[str, Mapping[str, Value]]) -> Section:
    """Section with the table of the measures that need no evaluator."""
    names = in_order(motion, MEASURES)
    columns = []
    for name in names:
        measure = MEASURES.get(name)
        unit = f", {measure.unit}" if measure and measure.unit else ""
        columns.append(Column(f"{measure.title}{unit}", ARROWS[measure.better]) if measure else Column(name))
    what = " ".join(f"{MEASURES[name].title}: {MEASURES[name].what}." for name in names if name in MEASURES)
    text = f"They need no evaluator. {what} {_INTERVALS}"
    return Section("Measures of motion", text, table=named_table(columns, _rows(motion, names)))


def named_table(columns: Sequence[Column], rows: Mapping[str, Sequence[Cell]]) -> Table:
    """A table with the rows' names in front, under an empty title."""
    lines = [[Cell(name), *cells] for name, cells in rows.items()]
    return Table([Column("", numeric=False), *columns], lines, named=True)


def in_order(rows: Mapping[str, Mapping[str, object]], known: Mapping[str, object]) -> list[str]:
    """All keys of the rows: the known ones in their order, then the others."""
    present = dict.fromkeys(name for row in rows.values() for name in row)
    return [name for name in known if name in present] + [name for name in present if name not in known]


def _rows(rows: Mapping[str, Mapping[str, Value]], names: Sequence[str]) -> dict[str, list[Cell]]:
    """A cell for each metric of each row, `Real` first."""
    ordered = sorted(rows, key=lambda name: name != REAL)
    return {row: [value_cell(rows[row].get(name)) for name in names] for row in ordered}


# --- settings and inputs ---


def facts(result: EvaluationResult) -> dict[str, str]:
    """Inputs and settings that the numbers depend on, by name."""
    model, data = result.model, result.dataset
    parts = {e.kind: ", ".join(e.parts) for e in result.evaluators}
    inputs = {
        "model": f"{model.name} ({model.parameters:,} parameters), {model.folder}",
        "model's hash": model.fingerprint,
        "dataset": f"{data.folder}, split {data.split}",
        "dataset's fingerprint": data.fingerprint,
        "clips, captions": f"{data.clips}, {data.captions}",
    }
    for e in result.evaluators:
        inputs[f"evaluator {e.kind}"] = f"{parts[e.kind]}; {e.dim} wide; trained on {e.trained_on}; words: {e.words}"
        inputs[f"evaluator {e.kind}'s hash"] = e.fingerprint
    return inputs | flat(result.config) | {
        "device": result.device,
        "seconds per motion": f"{result.seconds_per_motion:.3g}",
        "date": result.date,
        "crossdiff": result.version,
    }  # fmt: skip


def flat(config: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """`{"a": {"b": 1}}` as `{"a.b": "1"}`."""
    values: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return values
