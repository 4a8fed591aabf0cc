"""MediaPipe's graphs: kept from video to video, each used by one thread at a time, never after an error."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock

import numpy as np
import pytest
from wild import texture

from crossdiff.pipeline.backends.mediapipe import MediaPipeBackend, _Graphs

pytest.importorskip("mediapipe", reason="the mediapipe extra is not installed")


class Graph:
    """Answers with its own number; two threads in it at once are an error."""

    def __init__(self, number: int, meeting: Barrier | None = None) -> None:
        self.number, self.meeting, self.lock = number, meeting, Lock()

    def process(self, inputs):
        assert self.lock.acquire(blocking=False)
        if self.meeting:
            self.meeting.wait(20)
        self.lock.release()
        if inputs.get("bad"):
            raise RuntimeError("graph stopped")
        return self.number


@pytest.fixture
def graphs(monkeypatch):
    """Makes graphs that meet each other while they work, and counts those that were started."""

    def make(meeting: Barrier | None = None) -> tuple[_Graphs, list[Graph]]:
        started: list[Graph] = []
        lock = Lock()

        def start(_: _Graphs) -> Graph:
            with lock:
                started.append(Graph(len(started), meeting))
                return started[-1]

        monkeypatch.setattr(_Graphs, "_start", start)
        return _Graphs("", {}), started

    return make


def test_a_graph_is_started_only_while_all_others_are_in_use(graphs):
    one, started = graphs()
    assert [one.process({}) for _ in range(5)] == [0] * 5 and len(started) == 1
    three, started = graphs(Barrier(3))
    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(three.process, [{}] * 3)) == [0, 1, 2]
        assert len(set(threads.map(three.process, [{}] * 3))) == 3
    assert len(started) == 3


def test_a_graph_that_raised_an_error_is_not_used_again(graphs):
    some, started = graphs()
    with pytest.raises(RuntimeError, match="graph stopped"):
        some.process({"bad": True})
    assert some.process({}) == 1 and some.process({}) == 1 and len(started) == 2


def test_the_model_is_loaded_once_for_several_videos(monkeypatch):
    loaded = []
    start = _Graphs._start
    monkeypatch.setattr(_Graphs, "_start", lambda self: loaded.append(1) or start(self))
    pose = MediaPipeBackend()
    room = [(texture((160, 120)) + 120).astype(np.uint8)] * 3
    assert [list(pose.estimate(room)) for _ in range(3)] == [[[], [], []]] * 3
    assert len(loaded) == 1  # there is nobody to look at
