"""Engines: the same result from each, and a video that ends or hangs its process costs itself alone."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import Pipe, Semaphore
from pathlib import Path
from threading import Thread
from unittest.mock import Mock

import numpy as np
import pytest
from hostile import BROKEN, DEADLY, DEADLY_ONCE, HANGING, HostileBackend, PoisonedBackend
from processes import PATIENCE, wait_until
from wild import FakeBackend, write_video

from crossdiff.errors import InputError
from crossdiff.files import load_npz
from crossdiff.pipeline.engines import Job, WorkerConfig, create_engine, local
from crossdiff.pipeline.engines.base import LostError, gpu_is_lost
from crossdiff.pipeline.engines.local import LocalEngine
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.run import Run
from crossdiff.pipeline.tracks import people
from crossdiff.pipeline.tracks.people import PeopleConfig


def contents(run: Run) -> tuple[dict, dict, list]:
    """All that a run holds: keypoints by file, extract rows, track rows."""
    files = {path.name: load_npz(path) for path in sorted(run.keypoints.iterdir())}
    return files, {row.id: row for row in run.ledger.rows("extract")}, run.ledger.rows("track")


def assert_same(a: Run, b: Run) -> None:
    (files_a, *rows_a), (files_b, *rows_b) = contents(a), contents(b)
    assert files_a.keys() == files_b.keys() and rows_a == rows_b
    for name, arrays in files_a.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, files_b[name][key])


def test_worker_processes_give_what_this_process_gives(run, videos, tmp_path):
    (videos / "empty.avi").touch()
    extract_2d([videos], run, FakeBackend())
    other = Run.create(tmp_path / "other")
    ticks = extract_2d([videos], other, FakeBackend(), engine=LocalEngine(workers=2))
    assert ticks.tracks == 2 and len(ticks.failed) == 1
    assert_same(run, other)


def test_deadly_and_broken_videos_cost_themselves_alone(tmp_path):
    for name, grey in {"good": 128, "deadly": DEADLY, "once": DEADLY_ONCE, "broken": BROKEN}.items():
        write_video(tmp_path / "v" / f"{name}.mp4", grey=grey)
    run, backend, engine = Run.create(tmp_path / "r"), HostileBackend(tmp_path), LocalEngine(workers=2)
    summary = extract_2d([tmp_path / "v"], run, backend, engine=engine)
    assert states(run) == {
        "good": ("done", 1),
        "once": ("done", 2),
        "deadly": ("quarantined", 2),
        "broken": ("failed", 1),
    }
    assert (summary.quarantined, len(summary.failed), summary.tracks) == (1, 2, 2)
    assert "SIGSEGV" in run.ledger.get("extract", "deadly").reason
    assert "own mistake" in run.ledger.get("extract", "broken").reason
    assert extract_2d([tmp_path / "v"], run, backend, engine=engine).unchanged == 4
    extract_2d([tmp_path / "v"], run, backend, retry_failed=True, engine=engine, attempts=1)
    assert states(run)["deadly"] == ("quarantined", 3) and states(run)["broken"] == ("failed", 2)


def test_a_video_that_hangs_is_given_up_after_the_time_limit(tmp_path):
    write_video(tmp_path / "hanging.mp4", grey=HANGING)
    run = Run.create(tmp_path / "r")
    engine = LocalEngine(workers=1, time_limit=1)
    extract_2d([tmp_path / "hanging.mp4"], run, HostileBackend(tmp_path), engine=engine, attempts=1)
    assert states(run) == {"hanging": ("quarantined", 1)}
    assert "no new frame for 1 s; if it is only slow, raise --time-limit" in run.ledger.get("extract", "hanging").reason


def test_a_worker_waits_for_no_reader_and_joins_tracks_unwatched(tmp_path, monkeypatch):
    order, join, watchdog = [], people.link_tracks, Mock()
    watchdog.rest = lambda: order.append("rest")
    monkeypatch.setattr(people, "link_tracks", lambda *args: order.append("join") or join(*args))
    monkeypatch.setattr(local, "Watchdog", lambda limit: watchdog)
    monkeypatch.setattr(local, "_SECONDS_BETWEEN_TICKS", 0)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    recipe = WorkerConfig(FakeBackend(), PeopleConfig(), tmp_path)
    ours, theirs = Pipe()
    ours.send(Job("a", write_video(tmp_path / "a.mp4")))
    worker = Thread(target=local._serve, args=(theirs, Semaphore(), recipe, 60, 1), daemon=True)
    worker.start()
    while not (tmp_path / "a_t0.npz").exists():
        time.sleep(0.01)
    kinds = []
    while "result" not in kinds:
        kinds.append(ours.recv()[0])
    ours.close()
    worker.join()
    assert kinds == ["ready", "tick", "result"]
    assert order == ["rest", "join", "rest"]


def test_a_lost_gpu_costs_no_other_video(tmp_path):
    for name, grey in {"a": 0, "b": 128}.items():
        write_video(tmp_path / "v" / f"{name}.mp4", frames=5, grey=grey)
    run = Run.create(tmp_path / "r")
    with pytest.raises(LostError, match=r"illegal memory access .*; run again with worker processes"):
        extract_2d([tmp_path / "v"], run, PoisonedBackend())
    extract_2d([tmp_path / "v"], run, PoisonedBackend(), engine=LocalEngine(workers=1), attempts=1)
    assert states(run) == {"a": ("quarantined", 1), "b": ("done", 1)}


def test_a_gpu_without_memory_is_no_videos_fault():
    assert gpu_is_lost("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.78 GiB")
    assert not gpu_is_lost("moov atom not found")


def test_in_one_process_a_gpu_without_memory_costs_no_other_video(tmp_path):
    class Full(FakeBackend):
        def estimate(self, frames):
            for found in super().estimate(frames):
                if not found:
                    raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
                yield found

    for name, grey in {"a": 0, "b": 128}.items():
        write_video(tmp_path / "v" / f"{name}.mp4", frames=5, grey=grey)
    run = Run.create(tmp_path / "r")
    extract_2d([tmp_path / "v"], run, Full())
    assert states(run) == {"a": ("quarantined", 2), "b": ("done", 1)}


def test_few_processes_share_a_gpu(tmp_path, monkeypatch):
    started = Mock(side_effect=lambda *args: Mock())
    monkeypatch.setattr(local, "_Worker", started)
    monkeypatch.setattr(local, "wait", Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(local, "cores", lambda: 8)
    jobs = [Job(str(n), tmp_path / f"{n}.mp4") for n in range(9)]
    for on_gpu, count in ((True, 2), (False, 8)):
        recipe = WorkerConfig(FakeBackend(), PeopleConfig(), tmp_path, on_gpu=on_gpu)
        started.reset_mock()
        with pytest.raises(KeyboardInterrupt):
            list(LocalEngine().run(jobs, recipe, lambda *_: None))
        assert started.call_count == count


def test_a_model_that_cannot_be_loaded_is_said_and_no_video_is_blamed(tmp_path):
    recipe = WorkerConfig("openpose", PeopleConfig(), tmp_path)
    with pytest.raises(InputError, match="openpose"):
        list(LocalEngine(workers=2).run([Job("a", tmp_path / "a.mp4")], recipe, lambda *_: None))


@pytest.mark.slow
def test_ray_gives_what_this_process_gives_with_an_actor_killed_in_the_middle(run, videos, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="the ray extra is not installed")
    write_video(videos / "once.mp4", grey=DEADLY_ONCE)
    (videos / "empty.avi").touch()
    (tmp_path / "died").touch()  # harmless in this process
    extract_2d([videos], run, HostileBackend(tmp_path))
    (tmp_path / "died").unlink()
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # for the actors
    other = Run.create(tmp_path / "other")
    try:
        summary = extract_2d([videos], other, HostileBackend(tmp_path), engine=create_engine("ray", workers=1))
    finally:
        ray.shutdown()
    assert summary.tracks == 3 and states(other)["once"] == ("done", 2)
    other.ledger.put([replace(other.ledger.get("extract", "once"), attempts=1)])
    assert_same(run, other)


_EXTRACT = """
import sys
from pathlib import Path
from hostile import HostileBackend
from crossdiff.pipeline.engines import create_engine
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.run import Run

if __name__ == "__main__":
    videos, out = map(Path, sys.argv[1:3])
    backend = HostileBackend(out, delay=0.01, most=int(sys.argv[3]))
    extract_2d([videos], Run.create(out), backend, engine=create_engine("local", workers=2))
"""


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again_gives_what_an_unbroken_run_gives(tmp_path):
    videos, script, out = tmp_path / "v", tmp_path / "extract.py", tmp_path / "r"
    script.write_text(_EXTRACT)
    for number in range(5):
        write_video(videos / f"{number}.mp4", frames=40)
    (videos / "empty.avi").touch()
    unbroken, run = Run.create(tmp_path / "unbroken"), Run.create(out)
    extract_2d([videos], unbroken, FakeBackend())
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}

    def started(most: int) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, str(script), str(videos), str(out), str(most)], env=env)

    # As the first file is there, perhaps without its row; then some rows later.
    for files, rows in ((1, 0), (3, 3)):
        process = started(files)
        wait_until(lambda r=rows: [*out.glob("keypoints/[0-9]*")] and len(run.ledger.rows("extract")) >= r, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = {row.id: row for row in run.ledger.rows("extract")}
    assert 3 <= len(done) < 6
    assert started(99).wait(timeout=PATIENCE) == 0
    assert_same(unbroken, run)


def states(run: Run) -> dict[str, tuple[str, int]]:
    return {row.id: (row.state, row.attempts) for row in run.ledger.rows("extract")}


@pytest.mark.parametrize(("videos", "workers", "threads"), [(1, 4, 8), (2, 4, 4), (9, 4, 2), (9, 16, 1)])
def test_a_few_videos_share_all_cores(monkeypatch, tmp_path, videos, workers, threads):
    given = []

    class Started(Exception):
        pass

    def start(cfg, limit, number):
        given.append(number)
        raise Started

    monkeypatch.setattr(local, "cores", lambda: 8)
    monkeypatch.setattr(local, "_Worker", start)
    jobs = (Job(str(number), tmp_path) for number in range(videos))
    with pytest.raises(Started):
        list(LocalEngine(workers).run(jobs, WorkerConfig("fake", PeopleConfig(), tmp_path), lambda *_: None))
    assert given == [threads]
