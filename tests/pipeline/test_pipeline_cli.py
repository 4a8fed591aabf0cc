"""The four commands: help, exit codes, messages."""

import pytest
from command import crossdiff
from wild import FakeBackend, write_video

from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.run import Run


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["extract-2d", "filter", "build-2d", "status"])
def test_help_shows_an_example(command):
    assert f"crossdiff {command}" in crossdiff(command, "--help").ok().out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("extract-2d", "nowhere"), "nowhere: no such file or folder"),
        (("extract-2d", "."), "holds no videos"),
        (("filter",), "crossdiff extract-2d"),
        (("build-2d", "nowhere"), "not a run folder"),
        (("filter", "--set", "min_fsp=3"), "min_fps"),
    ],
)
def test_mistakes_are_one_line_with_exit_code_1(args, said, tmp_path):
    crossdiff(*args).failed(said)
    assert not (tmp_path / "runs").exists()


def test_the_latest_run_goes_through_filter_build_and_status(tmp_path):
    videos = tmp_path / "videos"
    write_video(videos / "jumping_jacks_01.mp4")
    (videos / "empty.avi").touch()
    extract_2d([videos], Run.create(tmp_path / "runs" / "0003"), FakeBackend())
    filtered, built = crossdiff("filter").ok(), crossdiff("build-2d").ok()
    assert "runs/0003  (the latest run)" in filtered.out and "1 of 1 clip kept" in filtered.out
    assert "1 motion " in built.out and list((tmp_path / "runs/0003/features2d").iterdir())
    assert "empty file" in crossdiff("status").out
    crossdiff("status", "--stage", "filter", "--csv", "f.csv").ok()
    assert "jumping_jacks_01_t0" in (tmp_path / "f.csv").read_text()
