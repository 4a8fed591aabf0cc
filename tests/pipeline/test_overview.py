"""`crossdiff status` of runs with many failures: few lines, none too long, and JSON with everything."""

from __future__ import annotations

import json

import pytest
from command import crossdiff

from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.overview import MOST_REASONS, MOST_ROWS, without_numbers
from crossdiff.pipeline.run import Run


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "run")


def failures(count: int, reason: str, name: str = "v") -> list[Row]:
    """Rows whose reasons hold their number."""
    return [
        Row("extract", f"{name}{n}", "failed", "k", reason=reason.format(n), attempts=1 + n % 3) for n in range(count)
    ]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("12 frames, need 40", "N frames, need N"),
        ("score 0.31 below 1e-05", "score N below N"),
        ("/data/x1.mp4: moov atom not found", "FILE: moov atom not found"),
        ("day1.mp4: 640x480 is no h264 picture", "FILE: N is no h264 picture"),
        ("too short", "too short"),
    ],
)
def test_reasons_without_what_differs(reason, kind):
    assert without_numbers(reason) == kind


def test_thousands_of_failures_are_a_line(run):
    run.ledger.put([*failures(5000, "sub/v{0}.mp4: decodes {0} of 7000 frames"), Row("extract", "good", "done", "k")])
    said = crossdiff("status", run.root).ok().out.splitlines()
    assert [line.split(maxsplit=4) for line in said[:-1]] == [
        ["stage", "state", "items", "attempts", "reason"],
        ["extract", "done", "1", "1"],
        ["extract", "failed", "5000", "3", "FILE: decodes N of N frames"],
    ]


def test_a_reason_that_occurs_once_keeps_its_numbers(run):
    run.ledger.put([*failures(1, "decodes 3 of 70 frames"), Row("filter", "a", "filtered", "k", reason="12 frames")])
    said = crossdiff("status", run.root).ok().out
    assert "decodes 3 of 70 frames" in said and "12 frames" in said


def test_many_different_reasons_are_cut_in_number_and_length(run):
    letters = ["".join("abcdefghij"[int(digit)] for digit in f"{n:04d}") for n in range(300)]
    run.ledger.put(Row("extract", w, "failed", "k", reason=f"{w} " + "very long " * 30) for w in letters)
    said = crossdiff("status", run.root).ok().out.splitlines()
    assert len(said) == 1 + MOST_REASONS + 1 + 1 and max(map(len, said)) <= 100
    assert said[-2].split()[:3] == ["extract", "failed", str(300 - MOST_REASONS)] and "288 other reasons" in said[-2]


def test_the_rows_of_a_stage_are_cut_too(run, tmp_path):
    rows = failures(100, "decodes {} of 70 frames " + "and so on " * 20)
    run.ledger.put([*rows, Row("extract", "w", "done", "k", measures={f"measure_{n}": n / 3 for n in range(12)})])
    said = crossdiff("status", run.root, "--stage", "extract").ok().out.splitlines()
    assert max(map(len, said)) <= 100 and "... and 61 more; --csv FILE or --json has all" in said
    assert sum(line.startswith(" v") for line in said) <= MOST_ROWS
    crossdiff("status", run.root, "--stage", "extract", "--csv", tmp_path / "t.csv").ok()
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 102


def test_json_holds_everything_and_nothing_else(run, monkeypatch):
    run.ledger.put([*failures(3, "decodes {} of 70 frames"), Row("extract", "w", "done", "k", measures={"fps": 25.0})])
    counts = json.loads(crossdiff("status", run.root, "--json").ok().out)
    assert counts["run"] == str(run.root) and counts["stage"] is None
    assert {(r["state"], r["reason"], r["items"]) for r in counts["rows"]} == {
        ("done", "", 1), *(("failed", f"decodes {n} of 70 frames", 1) for n in range(3))
    }  # fmt: skip
    rows = json.loads(crossdiff("status", run.root, "--stage", "extract", "--json").ok().out)["rows"]
    assert [(r["id"], r["fps"]) for r in rows] == [("v0", None), ("v1", None), ("v2", None), ("w", 25.0)]
