"""The ledger and the run folder."""

import os
from pathlib import Path

import pytest

from crossdiff.annotations.captions import VideoCaption
from crossdiff.errors import InputError
from crossdiff.files import read_json
from crossdiff.pipeline.ledger import Ledger, Row, VideoRecord, key_of, stage_named
from crossdiff.pipeline.run import Run


def test_rows_come_back_as_they_were_put(tmp_path):
    row = Row("filter", "a_t0", "filtered", "k", "a", "too short", 12, 40, {"frames": 12, "fps": 25.0})
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.put([row])
    assert ledger.get("filter", "a_t0") == row
    assert ledger.get("track", "a_t0") is None
    assert Ledger(tmp_path / "l.sqlite").rows("filter", state="filtered", parent="a") == [row]


def test_replacing_drops_the_old_rows_of_a_parent_alone(tmp_path):
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.put(Row("track", f"{video}_t{n}", "done", "k", video) for video in "ab" for n in range(3))
    ledger.put([Row("track", "a_t0", "done", "k2", "a")], replace=("track", ["a"]))
    assert [r.id for r in ledger.rows("track")] == ["a_t0", "b_t0", "b_t1", "b_t2"]


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.put([Row("track", "a_t0", "done", "k", "a")])
    bad = Row("track", "a_t1", "done", "k", "a", measures={"x": object()})
    with pytest.raises(TypeError):
        ledger.put([Row("track", "a_t2", "done", "k", "a"), bad], replace=("track", ["a"]))
    assert [r.id for r in ledger.rows("track")] == ["a_t0"]


def test_tables_hold_measures_as_columns_and_counts_tell_the_reasons(tmp_path):
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.put([Row("filter", "a", "done", "k", measures={"fps": 25.0}), Row("filter", "b", "failed", "k", reason="x")])
    assert ledger.table("filter")["fps"].iloc[0] == 25.0
    assert set(map(tuple, ledger.counts().itertuples(index=False))) == {
        ("filter", "done", "", 1, 1),
        ("filter", "failed", "x", 1, 1),
    }
    assert list(ledger.table("build").columns)[:3] == ["id", "parent", "state"]


def test_a_row_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="filtered"):
        Row("filter", "a", "filtered", "k")
    with pytest.raises(ValueError, match="stage"):
        Row("fliter", "a", "done", "k")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="extract, track"):
        stage_named("fliter")


def test_a_file_that_is_no_ledger_is_named(tmp_path):
    (tmp_path / "l.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 10)
    with pytest.raises(InputError, match=r"l\.sqlite"):
        Ledger(tmp_path / "l.sqlite")


def test_keys_differ_where_any_part_does():
    assert key_of("a", {"x": 1, "y": 2}) == key_of("a", {"y": 2, "x": 1}) != key_of("a", {"x": 1, "y": 3})


def test_runs_are_numbered_and_the_latest_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="extract-2d"):
        Run.open()
    assert [Run.create().root.as_posix() for _ in range(2)] == ["runs/0001", "runs/0002"]
    (tmp_path / "runs" / "0009").mkdir()
    assert Run.open().root.name == "0002"
    assert Run.create().root.name == "0010"


def test_a_run_without_clips_does_not_hide_the_one_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good, bad = Run.create(), Run.create()
    good.ledger.put([Row("track", "a_t0", "done", "k", "a")])
    bad.ledger.put([Row("extract", "b", "failed", "k", reason="empty file")])
    assert Run.open().root == good.root and Run.open(bad.root).root == bad.root


def test_a_run_that_cannot_be_read_does_not_hide_the_one_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = Run.create()
    good.ledger.put([Row("track", "a_t0", "done", "k", "a")])
    (Run.create().ledger.path).write_bytes(b"not a database, but long enough to be read as one" * 10)
    assert Run.open().root == good.root


def test_the_latest_run_is_the_one_that_was_worked_on_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbered, gym, old = Run.create(), Run.create(Path("runs/gym")), Run.create(Path("runs/old"))
    for run, seconds in ((numbered, 2), (gym, 3), (old, 1)):
        run.ledger.put([Row("track", "a_t0", "done", "k", "a")])
        for path in (run.root, run.ledger.path):
            os.utime(path, (seconds, seconds))
    assert Run.open().root == gym.root
    assert Run.open(old.root).ledger.holds("track") and Run.open().root == gym.root, "a look is no work"
    numbered.ledger.put([Row("filter", "a_t0", "done", "k", "a")])
    assert Run.open().root == numbered.root
    Run.create(old.root)
    Run.create(Path("runs/demo")).ledger.put([Row("track", "a_t0", "done", "k", "a")])
    assert Run.open().root == old.root and Run.create().root.name == "0002"


def test_a_run_is_gone_on_with_and_other_folders_are_left_alone(tmp_path):
    Run.create(tmp_path / "r").ledger.put([Row("track", "a", "done", "k")])
    assert Run.create(tmp_path / "r").ledger.get("track", "a")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for taken in ("mine", "file"):
        with pytest.raises(InputError, match="not a run"):
            Run.create(tmp_path / taken)
        with pytest.raises(InputError, match="not a run"):
            Run.open(tmp_path / taken)


def test_the_configuration_of_each_stage_is_kept_with_versions(tmp_path):
    run = Run.create(tmp_path / "r")
    run.record_config("extract", {"a": 1})
    run.record_config("filter", {"b": 2})
    kept = read_json(run.config)
    assert kept["extract"]["config"] == {"a": 1} and kept["filter"]["config"] == {"b": 2}
    assert kept["extract"]["versions"]["crossdiff"]


def test_captions_of_runs_made_before_captions_had_spans_are_read(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.put_video(
        VideoRecord("a", tmp_path / "a.mp4", "", "A", ("a person moves", VideoCaption("a jump", 1.0, 2.0)))
    )
    assert ledger.videos()["a"].captions == (VideoCaption("a person moves"), VideoCaption("a jump", 1.0, 2.0))


def test_the_ledger_of_another_version_is_named(tmp_path):
    import sqlite3

    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE videos (id TEXT PRIMARY KEY, path TEXT, content TEXT, label TEXT, captions TEXT)")
    with pytest.raises(InputError, match=r"not a ledger that this version can use \(no such column: stamp\)"):
        Ledger(path)
