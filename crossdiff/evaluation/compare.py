"""Several results in one table; results of other data, evaluators or protocols are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crossdiff.errors import InputError
from crossdiff.evaluation import report
from crossdiff.evaluation.report import METRICS, REAL, Better
from crossdiff.evaluation.result import EvaluationResult, EvaluatorRecord, ScoreTable, Value
from crossdiff.representation.physics import MEASURES
from crossdiff.viewing.page import Cell, Column, Page, Section, write_page

_BETTER: dict[str, Better] = METRICS | {name: measure.better for name, measure in MEASURES.items()}
_BOLD = "Bold: the best value, where its interval does not overlap with that of the next best."


@dataclass(frozen=True)
class Comparison:
    """Results side by side, with one row `Real` and one for each model.

    names: of the models, unique.
    tables, motion: as in a result; `Real` has the values of the first result that has any.
    """

    names: tuple[str, ...]
    results: tuple[EvaluationResult, ...]
    evaluators: tuple[EvaluatorRecord, ...]
    tables: tuple[ScoreTable, ...]
    motion: dict[str, dict[str, Value]]


def compare(results: Sequence[EvaluationResult]) -> Comparison:
    """Put results side by side; InputError unless they share data, evaluators and protocol."""
    if not results:
        raise InputError("no results to compare; name one result.json or more")
    names = unique_names([result.model.name for result in results])
    for name, other in zip(names[1:], results[1:], strict=True):
        _check_same(names[0], results[0], name, other)
    keys = dict.fromkeys((table.evaluator, table.protocol) for result in results for table in result.tables)
    tables = []
    for evaluator, protocol in keys:
        matching = [_table(result, evaluator, protocol) for result in results]
        rows = [{} if table is None else table.rows for table in matching]
        tables.append(ScoreTable(evaluator=evaluator, protocol=protocol, rows=_joined(names, results, rows)))
    motion = _joined(names, results, [result.motion for result in results])
    return Comparison(tuple(names), tuple(results), results[0].evaluators, tuple(tables), motion)


def unique_names(names: Sequence[str]) -> list[str]:
    """Unique names, none of them `Real`: repeated ones get (2), (3) ..."""
    used, unique = {REAL}, []
    for name in names:
        candidate, count = name, 1
        while candidate in used:
            count += 1
            candidate = f"{name} ({count})"
        used.add(candidate)
        unique.append(candidate)
    return unique


def best_row(rows: Mapping[str, Mapping[str, Value]], name: str) -> str | None:
    """The row whose value of a metric is significantly the best, or None.

    Its 95 % interval must not overlap that of the second best. A single replication has no interval, so no row is
    best. For metrics that should match `Real`, the best value is the nearest to its mean.
    """
    better, real = _BETTER.get(name), rows.get(REAL, {}).get(name)
    values = {row: metrics[name] for row, metrics in rows.items() if row != REAL and name in metrics}
    if len(values) < 2 or better is None or (better == "real" and real is None):
        return None
    if any(len(value.values) < 2 for value in values.values()):
        return None

    def cost(row: str) -> float:
        mean = values[row].mean
        if better == "real" and real is not None:
            return abs(mean - real.mean)
        return -mean if better == "higher" else mean

    first, second = sorted(values, key=cost)[:2]
    apart = cost(second) - cost(first) > values[first].interval + values[second].interval
    return first if apart else None


# --- the page ---


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write compare.md and compare.html into the folder; returns the page."""
    return write_page(folder / "compare.html", comparison_page(comparison), with_markdown=True)


def markdown(comparison: Comparison) -> str:
    return comparison_page(comparison).to_markdown()


def comparison_page(comparison: Comparison) -> Page:
    """The tables of all results with the best values marked, and the settings and inputs that differ or agree."""
    data = comparison.results[0].dataset
    names = comparison.names
    lead = f"{', '.join(names)} on {data.folder}, split {data.split}. {REAL}: as in the result of {names[0]}."
    tables = comparison.tables
    sections = [_marked(report.metric_section(t, comparison.evaluators), t.rows, METRICS) for t in tables]
    if comparison.motion:
        sections.append(_marked(report.motion_section(comparison.motion), comparison.motion, MEASURES))
    different, same = _facts(comparison)
    sections += [different] if different is not None else []
    sections.append(Section("What is the same for all", facts=same))
    return Page("Models compared", lead, sections)


def _marked(section: Section, rows: Mapping[str, Mapping[str, Value]], known: Mapping[str, object]) -> Section:
    """The section with its table's best values marked. Columns are those of `known` that some row has, then others."""
    table = section.rows
    assert table is not None
    best = [None, *(best_row(rows, name) for name in report.in_order(rows, known))]
    marked = [
        [replace(cell, best=row[0].text == winner) for cell, winner in zip(row, best, strict=True)]
        for row in table.rows
    ]
    text = f"{section.text} {_BOLD}" if any(best) else section.text
    return replace(section, text=text, table=replace(table, rows=marked))


def _facts(comparison: Comparison) -> tuple[Section | None, list[tuple[str, str]]]:
    """A table of the settings and inputs that differ, and a list of those that are the same."""
    each = [report.facts(result) for result in comparison.results]
    names = list(dict.fromkeys(name for facts in each for name in facts))
    same = [(name, each[0][name]) for name in names if len({facts.get(name) for facts in each}) == 1]
    alike = {name for name, _ in same}
    rows = {n: [Cell(facts.get(n, report.MISSING)) for facts in each] for n in names if n not in alike}
    if not rows:
        return None, same
    columns = [Column(name, numeric=False) for name in comparison.names]
    text = "Everything else that the numbers depend on is the same for all."
    return Section("What differs", text, table=report.named_table(columns, rows)), same


# --- joining results ---


def _table(result: EvaluationResult, evaluator: str, protocol: str) -> ScoreTable | None:
    return next((t for t in result.tables if (t.evaluator, t.protocol) == (evaluator, protocol)), None)


def _joined(
    names: Sequence[str], results: Sequence[EvaluationResult], rows: Sequence[Mapping[str, dict[str, Value]]]
) -> dict[str, dict[str, Value]]:
    """One row `Real`, its values from the first result that has them, and each model's own row."""
    real: dict[str, Value] = {}
    for of_result in rows:
        real = of_result.get(REAL, {}) | real
    own = {n: each[r.model.name] for n, r, each in zip(names, results, rows, strict=True) if r.model.name in each}
    return ({REAL: real} if real else {}) | own


def _check_same(first: str, one: EvaluationResult, second: str, other: EvaluationResult) -> None:
    """Refuse results that were measured differently."""
    ours, theirs = _conditions(one), _conditions(other)
    for what in dict.fromkeys([*ours, *theirs]):
        a, b = ours.get(what, "none"), theirs.get(what, "none")
        if a != b:
            raise InputError(
                f"{second}: {what} is {b}, but {a} of {first}: their numbers cannot be compared; "
                "evaluate both on the same data, with the same evaluators and protocol"
            )


def _conditions(result: EvaluationResult) -> dict[str, str]:
    """The settings and inputs that two comparable results share."""
    conditions = {"the dataset's split": result.dataset.split, "the dataset's fingerprint": result.dataset.fingerprint}
    conditions["the number of frames of real motion, at most,"] = str(result.most_frames)
    conditions |= {f"the fingerprint of evaluator {e.kind}": e.fingerprint for e in result.evaluators}
    protocol = result.config.get("protocol", {})
    protocol = protocol if isinstance(protocol, Mapping) else {"": protocol}
    return conditions | {f"protocol.{key}": str(value) for key, value in protocol.items() if key != "replications"}
