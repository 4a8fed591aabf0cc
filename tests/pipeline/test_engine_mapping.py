"""A function of many clips in worker processes: the results, their order, and clips that end a process."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest
from wild import keypoints, waving

from crossdiff.pipeline.build import build_2d
from crossdiff.pipeline.engines import mapping
from crossdiff.pipeline.engines.mapping import map_clips
from crossdiff.pipeline.filter import FilterConfig, filter_clips
from crossdiff.pipeline.ledger import Row, VideoRecord
from crossdiff.pipeline.run import Run

CLIPS = 9


@pytest.fixture
def eager(monkeypatch):
    """Processes are started for any work, after the first clip; they take two clips at once."""
    monkeypatch.setattr(mapping, "_WORTHWHILE", 0.0)
    monkeypatch.setattr(mapping, "_FIRST", 1)
    monkeypatch.setattr(mapping, "_TOGETHER", 2)


def _square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def _mortal(here: int, number: int) -> str:
    if number == 3 and os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return str(number)


def _lost(number: int, error: str) -> str:
    return f"{number}: {error}"


def test_results_come_in_order_from_several_processes(eager):
    found = list(map_clips(_square, range(CLIPS), _lost, workers=2))
    assert [square for square, _ in found] == [n * n for n in range(CLIPS)]
    assert found[0][1] == os.getpid() and os.getpid() not in {process for _, process in found[1:]}


@pytest.mark.parametrize(("count", "workers"), [(CLIPS, 2), (200, 1), (0, 2)])
def test_little_work_and_one_worker_start_no_process(monkeypatch, count, workers):
    monkeypatch.setattr(mapping, "run_jobs", None)
    assert [square for square, _ in map_clips(_square, range(count), _lost, workers)] == [n * n for n in range(count)]


def test_a_clip_that_ends_its_process_costs_itself_alone(eager):
    found = list(map_clips(partial(_mortal, os.getpid()), range(CLIPS), _lost, workers=2))
    assert found[:3] + found[4:] == [str(n) for n in range(CLIPS) if n != 3]
    assert found[3].startswith("3: crashed the process") and "SIGKILL" in found[3]


def _run_of_clips(root: Path) -> Run:
    run = Run.create(root)
    for number in range(CLIPS):
        name = f"clip{number}"
        keypoints(waving(60 + 5 * number, 20.0 + number)).save(run.keypoints / f"{name}_t0.npz")
        run.ledger.put_video(VideoRecord(name, root / f"{name}.mp4", name, "wave", ()))
        run.ledger.put([Row("track", f"{name}_t0", "done", name, name, measures={"frames": 60, "first_frame": 0})])
    (run.keypoints / "clip4_t0.npz").write_bytes(b"nothing")
    return run


def test_filter_and_build_give_the_same_files_and_rows_with_any_number_of_workers(eager, tmp_path):
    contents, rows = [], []
    for workers in (1, 2):
        run = _run_of_clips(tmp_path / str(workers))
        cfg = FilterConfig(min_difference=0.001)
        filtered = filter_clips(run, cfg, workers)
        (run.keypoints / "clip6_t0.npz").unlink()
        built = build_2d(run, None, workers)
        assert list(filtered.failed) == ["clip4_t0"] and list(built.failed) == ["clip6_t0"] and built.motions >= 4
        files = [p for folder in (run.motion2d, run.features2d, run.texts) for p in sorted(folder.iterdir())]
        contents.append({path.relative_to(run.root): path.read_bytes() for path in files})
        everything = [*run.ledger.rows("filter"), *run.ledger.rows("build")]
        rows.append(str(everything).replace(str(run.root), ""))
    assert contents[0] == contents[1] and rows[0] == rows[1]


def test_a_consumer_that_stops_leaves_no_process(eager):
    found = map_clips(_square, range(1000), _lost, workers=2)
    next(found)
    _, process = next(found)
    found.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
