"""A result as Markdown and as a page: order, arrows, intervals, and what the numbers depend on."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from results import result, table, value

from crossdiff.evaluation.report import markdown, report_page, value_cell, write_report
from crossdiff.evaluation.result import EvaluationResult


def tables_of(text: str) -> list[list[list[str]]]:
    """Cells of each Markdown table, without the line of dashes."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split(" | ")])
        elif found[-1]:
            found.append([])
    return [[rows[0], *rows[2:]] for rows in found if rows]


def test_one_table_per_evaluator_and_protocol_in_the_order_of_the_field():
    first, second, motion = tables_of(markdown(result()))
    assert first[0][1:] == [
        "R-precision top 1 ↑", "R-precision top 2 ↑", "R-precision top 3 ↑", "FID ↓", "FID-U ↓", "FID-L ↓", "MM-Dist ↓",
        "Diversity → Real", "MultiModality ↑",
    ]  # fmt: skip
    assert [row[0] for row in first[1:]] == ["Real", "crossdiff"]
    assert first[1][1] == "0.511 ± 0.003" and first[1][-1] == "-"
    assert second == first
    assert motion[0][1:] == ["Skating ↓", "Skating speed, cm/s ↓", "Below floor, cm ↓", "Jerk, m/s³ → Real",
                             "Bone drift, % ↓"]  # fmt: skip
    # Real motion was measured once, which gives no interval.
    assert motion[1][4] == "120.0" and motion[2][4] == "240.0 ± 0.0"


def test_absent_metrics_have_no_column_and_unknown_ones_come_last():
    rows = {"crossdiff": {"Other": value(1.0), "FID": value(2.0)}}
    one = table("crossdiff").model_copy(update={"rows": rows})
    (first, *_) = tables_of(markdown(result(tables=(one,))))
    assert first[0][1:] == ["FID ↓", "Other"]


@pytest.mark.parametrize("form", [markdown, lambda result: report_page(result).to_html()])
def test_both_forms_say_what_the_numbers_depend_on(form):
    text = form(result())
    said = (
        "Evaluator t2m, trained on humanml3d, words from glove", "protocol classic", "protocol distinct",
        "Evaluator tmr",
        "hash-crossdiff", "88,080,000 parameters", "split test", "d1", "e-tmr", "protocol.replications",
        "seed", "sampling.steps", "cpu", "0.123", "2025-01-31", "4042 clips",
    )  # fmt: skip
    assert not [words for words in said if words not in text]


class _Balanced(HTMLParser):
    """Fails where a tag is closed that is not the one open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        assert not [v for k, v in attrs if k in ("src", "href") and not v.startswith("data:")], "not self-contained"
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_self_contained_and_escaped():
    page = report_page(result("<b>a</b>|b")).to_html()
    parser = _Balanced()
    parser.feed(page)
    assert not parser.open
    assert "<b>a</b>" not in page and "&lt;b&gt;a&lt;/b&gt;|b" in page


def test_names_do_not_break_markdown():
    assert "| \\<b\\>a\\|b |" in markdown(result("<b>a|b"))


def test_cells():
    assert str(value_cell(None)) == "-"
    assert str(value_cell(value(0.5, 1))) == "0.500"


def test_the_folder_holds_result_and_both_forms(tmp_path):
    page = write_report(result(), tmp_path / "evaluation")
    assert sorted(p.name for p in page.parent.iterdir()) == ["report.html", "report.md", "result.json"]
    assert EvaluationResult.load(page.parent) == result()
    assert page.read_text(encoding="utf-8") == report_page(result()).to_html()
