"""Results side by side: joined, marked where clearly best, refused where they mean different things."""

from __future__ import annotations

import pytest
from results import result, table, value
from test_evaluation_report import tables_of
from typer.testing import CliRunner

from crossdiff.cli import app
from crossdiff.errors import InputError
from crossdiff.evaluation.compare import best_row, compare, comparison_page, markdown, unique_names, write_comparison
from crossdiff.evaluation.report import MISSING


def bold(text: str, row: str) -> list[str]:
    """Heads of the columns of the first table in which a row is bold."""
    head, *rows = tables_of(text)[0]
    cells = next(cells for cells in rows if cells[0] == row)
    return [name for name, cell in zip(head, cells, strict=True) if cell.startswith("**")]


def test_one_row_of_real_and_one_per_result():
    comparison = compare([result("a"), result("b"), result("a")])
    assert comparison.names == ("a", "b", "a (2)")
    for found in tables_of(markdown(comparison))[:3]:
        assert [row[0] for row in found[1:]] == ["Real", "a", "b", "a (2)"]


def test_bold_is_the_best_where_it_is_clear():
    other = result("b", FID=0.3, Diversity=9.4, R_precision_top_1=0.4, MultiModality=2.8)
    text = markdown(compare([result("a"), other]))
    assert bold(text, "a") == ["Diversity → Real"]
    assert bold(text, "b") == ["R-precision top 1 ↑", "FID ↓"]
    assert bold(text, "Real") == []
    assert "Bold: the best value" in text and "Bold" not in markdown(compare([result("a"), result("b")]))
    assert 'class="number best"' in comparison_page(compare([result("a"), other])).to_html()


@pytest.mark.parametrize(
    "name, means, best",
    [
        ("FID", {"Real": 0.0, "a": 1.0, "b": 0.5, "c": 2.0}, "b"),
        ("FID", {"Real": 0.0, "a": 1.0, "b": 1.001}, None),
        ("FID", {"Real": 0.0, "a": 1.0}, None),
        ("jerk", {"Real": 5.0, "a": 4.0, "b": 7.0}, "a"),
        ("jerk", {"a": 4.0, "b": 7.0}, None),
        ("unknown", {"a": 4.0, "b": 7.0}, None),
    ],
)
def test_best_row(name, means, best):
    assert best_row({row: {name: value(mean)} for row, mean in means.items()}, name) == best


def test_one_replication_is_never_clearly_best():
    rows = {"a": {"FID": value(1.0, 1)}, "b": {"FID": value(2.0)}}
    assert best_row(rows, "FID") is None


def test_names_are_unique_and_never_real():
    assert unique_names(["a", "a", "a (2)", "Real"]) == ["a", "a (2)", "a (2) (2)", "Real (2)"]


def test_a_table_that_only_one_has_is_kept():
    comparison = compare([result("a", tables=(table("a"),)), result("b")])
    _, second, motion, _ = tables_of(markdown(comparison))
    assert [row[0] for row in second[1:]] == ["Real", "b"]
    assert [row[0] for row in motion[1:]] == ["Real", "a", "b"]


def test_what_differs_is_a_table_and_the_rest_a_list():
    config = {"protocol": {"replications": 5, "batch": 32}, "sampling": {"steps": 10, "solver": "ddim"}, "seed": 7}
    text = markdown(compare([result("a"), result("b", config=config)]))
    differs = {row[0]: row[1:] for row in tables_of(text)[-1]}
    assert differs["sampling.steps"] == ["50", "10"]
    assert differs["sampling.solver"] == [MISSING, "ddim"]
    assert differs["protocol.replications"] == ["20", "5"]
    assert "- seed: 7" in text and "seed" not in differs


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"dataset": {"split": "val"}}, "b: the dataset's split is val, but test of a"),
        ({"dataset": {"fingerprint": "d2"}}, "b: the dataset's fingerprint is d2, but d1 of a"),
        ({"config": {"protocol": {"replications": 20, "batch": 64}}}, "protocol.batch is 64, but 32 of a"),
        ({"config": {}}, "protocol.batch is none, but 32 of a"),
        ({"most_frames": 96}, "the number of frames of real motion, at most, is 96, but 196 of a"),
        ({"evaluators": ()}, "fingerprint of evaluator t2m is none, but e-t2m of a"),
    ],
)
def test_results_of_other_conditions_are_refused(changes, message):
    if "dataset" in changes:
        changes = {"dataset": result().dataset.model_dump() | changes["dataset"]}
    with pytest.raises(InputError, match=message):
        compare([result("a"), result("b", **changes)])


def test_no_results_are_refused():
    with pytest.raises(InputError, match="no results"):
        compare([])


def test_both_forms_are_written(tmp_path):
    comparison = compare([result("a"), result("b")])
    page = write_comparison(comparison, tmp_path / "out")
    assert page.read_text(encoding="utf-8") == comparison_page(comparison).to_html()
    assert page.with_suffix(".md").read_text(encoding="utf-8") == markdown(comparison)


def test_the_command_reads_files_and_folders(tmp_path):
    for name in ("a", "b"):
        result(name).save(tmp_path / name / "result.json")
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["compare", str(tmp_path / "a"), str(tmp_path / "b" / "result.json"), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith((out / "compare.md").read_text(encoding="utf-8"))
    assert done.stdout.splitlines()[-1] == str(out / "compare.html")
    missing = CliRunner().invoke(app, ["compare", str(tmp_path / "none.json")])
    assert isinstance(missing.exception, InputError)
