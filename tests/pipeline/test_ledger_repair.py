"""A ledger that was damaged: found when it is opened, rebuilt where that is possible, else one line."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from crossdiff.errors import InputError
from crossdiff.files import disk_message, save_npz
from crossdiff.pipeline.ledger import DamagedLedger, Ledger, Row, VideoRecord
from crossdiff.pipeline.run import Run

STAGES = ("extract", "track", "filter", "build", "pseudo")
VIDEOS = 60


@pytest.fixture
def run(tmp_path) -> Run:
    """A run of 60 videos with two tracks, motions and labels each."""
    run = Run.create(tmp_path / "run")
    ledger, key = run.ledger, "0123456789abcdef"
    names = [f"video{n:02d}" for n in range(VIDEOS)]
    clips = {f"{name}_t{n}": name for name in names for n in range(2)}
    ledger.put_videos(VideoRecord(name, tmp_path / f"{name}.mp4", "c" * 64, "A", (), "1 2") for name in names)
    ledger.put(Row("extract", name, "done", key, measures={"tracks": 2}) for name in names)
    ledger.put(Row("track", clip, "done", key, name, measures={"frames": 9}) for clip, name in clips.items())
    ledger.put(Row("filter", clip, "done", key, name) for clip, name in clips.items())
    ledger.put(Row("build", f"{clip}_0", "done", key, clip, measures={"frames": 9}) for clip in clips)
    ledger.put(Row("pseudo", f"{clip}_0", "done", key, clip, measures={"skate": 0.5}) for clip in clips)
    for clip in clips:
        (run.motion2d / f"{clip}_0.npz").parent.mkdir(exist_ok=True)
        (run.motion2d / f"{clip}_0.npz").touch()
        made = {"features": np.zeros((2, 3)), "teacher": np.array("t"), "fps": np.array(20.0)}
        save_npz(run.pseudo3d / f"{clip}_0.npz", **made, skate=np.float64(0.5), key=np.array(key))
    return run


def use(path: Path) -> Ledger:
    """Open a ledger, read all of it, and write to it."""
    ledger = Ledger(path)
    for stage in STAGES:
        ledger.rows(stage)
    ledger.videos(), ledger.counts()
    ledger.put([Row("filter", "new", "done", "k")])
    return ledger


def everything(ledger: Ledger) -> dict[str, list[Row]]:
    return {stage: ledger.rows(stage) for stage in STAGES}


def test_every_damaged_copy_is_used_rebuilt_or_refused_in_one_line(run, tmp_path):
    whole = run.ledger.path.read_bytes()
    rng = random.Random(0)
    rebuilt = 0
    for n in range(150):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        (tmp_path / "copy").mkdir()
        content = bytearray(whole)
        for _ in range(rng.choice((1, 10, 100, 1000))):
            content[rng.randrange(200 if n % 3 == 0 else len(content))] ^= rng.randrange(1, 256)
        path = tmp_path / "copy" / "ledger.sqlite"
        path.write_bytes(content[: rng.randrange(1, len(content)) if n % 10 == 0 else None])
        try:
            use(path)
        except InputError as error:
            assert "damaged" in str(error) and "\n" not in str(error)
        else:
            rebuilt += path.with_name("ledger.damaged.sqlite").exists()
            assert use(path) is not None, "a rebuilt ledger stays whole"
    assert rebuilt > 100


def test_a_damaged_beginning_costs_nothing(run, caplog):
    before, path = everything(run.ledger), run.ledger.path
    content = path.read_bytes()
    path.write_bytes(b"x" * 300 + content[300:])
    assert everything(Ledger(path)) == before
    assert f"{path}: was damaged (" in caplog.text and "60 videos" in caplog.text
    assert path.with_name("ledger.damaged.sqlite").read_bytes()[:300] == b"x" * 300
    assert not list(path.parent.glob(".ledger*.sqlite"))


def test_what_may_be_incomplete_is_dropped_to_be_done_again(run):
    path = run.ledger.path
    with sqlite3.connect(path) as db:
        db.execute("UPDATE rows SET state = 'dxne' WHERE stage = 'track' AND id = 'video07_t1'")
        db.execute("UPDATE rows SET measures = '{' WHERE stage = 'build' AND id = 'video09_t0_0'")
        db.execute("UPDATE rows SET attempts = 'x' WHERE stage = 'pseudo' AND id = 'video11_t1_0'")
    ledger = Ledger(path)
    names = {stage: {row.id for row in ledger.rows(stage)} for stage in STAGES}
    assert len(ledger.videos()) == VIDEOS
    assert len(names["extract"]) == VIDEOS - 1 and "video07" not in names["extract"]
    assert len(names["track"]) == 2 * VIDEOS - 2
    assert len(names["build"]) == 2 * VIDEOS - 3 and "video09_t0_0" not in names["build"]
    label = ledger.get("pseudo", "video11_t1_0")  # from its file
    assert label == Row("pseudo", "video11_t1_0", "done", "0123456789abcdef", "video11_t1", measures={"skate": 0.5})


def test_a_table_that_is_renamed_does_not_make_an_empty_ledger(run):
    path = run.ledger.path
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b"CREATE TABLE videos", b"CREATE TABLE vidios").replace(b"tablevideos", b"tablevidios")
    )
    assert len(Ledger(path).videos()) == VIDEOS


def test_nothing_to_read_is_refused_and_nothing_is_changed(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(bytes(5000))
    for _ in range(2):
        with pytest.raises(InputError, match=r"nothing in it can be read .*restore it from a copy, or delete it"):
            Ledger(path)
    assert path.read_bytes() == bytes(5000) and list(tmp_path.iterdir()) == [path]


def test_damage_while_it_is_used_is_told(run):
    ledger = run.ledger
    ledger.path.write_bytes(b"no database" * 1000)
    with pytest.raises(DamagedLedger, match="run the same command again, which rebuilds it"):
        ledger.rows("track")


def test_a_full_disk_is_an_error_of_the_disk(tmp_path, monkeypatch):
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.put([Row("filter", "a", "done", "k")])
    many = [Row("filter", f"b{n}", "done", "k") for n in range(2000)]
    connect = sqlite3.connect

    def small(*args, **named):
        db = connect(*args, **named)
        db.execute("PRAGMA max_page_count = 20")
        return db

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left") as raised:
        patch.setattr(sqlite3, "connect", small)
        ledger.put(many)
    assert disk_message(raised.value).startswith(f"{path}: not written: No space left on device (")
    assert [row.id for row in ledger.rows("filter")] == ["a"]
    ledger.put(many)
    assert len(ledger.rows("filter")) == 2001
