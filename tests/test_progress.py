"""Progress of tasks, as observers get it: the one that watches, the terminal, or nobody."""

import io
import sys

import pytest
from rich.console import Console

from crossdiff import progress
from crossdiff.progress import ProgressEvent, ProgressLines, TerminalBars, progress_bar, track, watch


@pytest.fixture
def events() -> list[ProgressEvent]:
    return []


def test_an_observer_gets_every_step_and_the_end(events):
    with watch(events.append):
        assert list(track("ab", "clips")) == ["a", "b"]
    assert [(e.task, e.done, e.total, e.ended) for e in events] == [
        ("clips", 0, 2, False),
        ("clips", 1, 2, False),
        ("clips", 2, 2, False),
        ("clips", 2, 2, True),
    ]
    assert len({e.id for e in events}) == 1
    assert [e.share for e in events] == [0, 0.5, 1, 1]


def test_tasks_of_one_bar_are_updated_apart_and_end_with_it(events):
    with watch(events.append), progress_bar() as bar:
        first, second = bar.add_task("videos", 2), bar.add_task("frames", note="a.mp4")
        bar.update(second, completed=30, total=60)
        bar.remove_task(second)
        bar.advance(first, 2)
    assert [(e.task, e.done, e.total, e.note, e.ended) for e in events] == [
        ("videos", 0, 2, "", False),
        ("frames", 0, None, "a.mp4", False),
        ("frames", 30, 60, "a.mp4", False),
        ("frames", 30, 60, "a.mp4", True),
        ("videos", 2, 2, "", False),
        ("videos", 2, 2, "", True),
    ]


def test_an_observer_hears_work_within_work_and_only_while_it_watches(events):
    with watch(events.append):
        for _ in track([0], "outer"):
            list(track([0], "inner"))
    list(track([0], "later"))
    assert {e.task for e in events} == {"outer", "inner"}


def test_more_steps_than_promised_are_the_whole():
    assert ProgressEvent(0, "frames", 9, 8).share == 1
    assert ProgressEvent(0, "frames", 9, None).share == 0


def test_short_work_without_a_terminal_writes_nothing(capsys):
    list(track([1, 2], "clips"))
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def log(monkeypatch) -> tuple[list[str], list[float]]:
    """The lines that progress without a terminal writes, and its clock."""
    lines: list[str] = []
    now = [0.0]
    observer = ProgressLines(lines.append, clock=lambda: now[0])
    monkeypatch.setattr(progress, "_terminal", lambda: observer)
    return lines, now


def test_without_a_terminal_there_is_a_line_every_half_minute(log):
    lines, now = log
    with progress_bar() as bar:
        task = bar.add_task("train", total=5000, completed=1000)
        for step in range(1001, 1500):
            now[0] += 0.25
            bar.update(task, completed=step, note=f"loss {step / 1000:.2f}")
    assert lines == [
        "train 1120/5000, loss 1.12, 4.0/s, 16 min left",
        "train 1240/5000, loss 1.24, 4.0/s, 16 min left",
        "train 1360/5000, loss 1.36, 4.0/s, 15 min left",
        "train 1480/5000, loss 1.48, 4.0/s, 15 min left",
    ]


def test_lines_of_slow_steps_and_of_unknown_totals(log):
    lines, now = log
    with progress_bar() as bar:
        videos, frames = bar.add_task("videos", 400), bar.add_task("frames", note="a\x1b[31m.mp4")
        bar.update(frames, note="b.mp4")
        now[0] = 40.0
        bar.update(frames, completed=2000)
        bar.advance(videos)
        now[0] = 69.0
        bar.advance(videos)
        now[0] = 100.0
        bar.advance(videos, 0)
    list(track([1], "later"))
    assert lines == [
        "frames 2000, b.mp4, 50.0/s",
        "videos 1/400, 1.5/min, 4 h 26 min left",
        "videos 2/400, 1.2/min, 5 h 32 min left",
    ]


def test_a_task_that_stands_still_has_no_rate(log):
    lines, now = log
    with progress_bar() as bar:
        task = bar.add_task("frames", 9, note="a\x1b[31m.mp4")
        now[0] = 31.0
        bar.advance(task, 0)
    assert lines == ["frames 0/9, a\\x1b[31m.mp4"]


def test_lines_go_to_stderr(capsys, monkeypatch):
    lines = ProgressLines(progress._lines()._write, seconds=1e-9)
    monkeypatch.setattr(progress, "_lines", lambda: lines)
    list(track([1], "clips"))
    said = capsys.readouterr()
    assert said.out == "" and said.err.splitlines()[-1].startswith("clips 1/1, ")


def test_a_hidden_bar_tells_nobody(events):
    with watch(events.append), progress_bar(visible=False) as bar:
        bar.advance(bar.add_task("train", 1))
    assert events == []


def test_the_terminal_shows_a_bar_for_each_task(monkeypatch):
    screen = io.StringIO()
    bars = TerminalBars(Console(file=screen, force_terminal=True, width=80))
    monkeypatch.setattr(progress, "_terminal", lambda: bars)
    for _ in track([0], "outer"):
        with progress_bar() as bar:
            bar.update(bar.add_task("inner", 3), completed=2, note="a.mp4")
            shown = [(task.description, task.completed, task.total, task.fields["note"]) for task in bars._bars.tasks]
            assert shown == [("outer", 0, 1, ""), ("inner", 2, 3, "a.mp4")]
    list(track([0], "again"))
    assert bars._bars.tasks == [] and not bars._bars.live.is_started
    assert all(word in screen.getvalue() for word in ("outer", "inner", "again"))


def test_bars_are_drawn_only_on_a_terminal(monkeypatch):
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(progress._terminal(), ProgressLines)
    monkeypatch.setattr(sys, "stderr", Screen())
    assert isinstance(progress._terminal(), TerminalBars)
