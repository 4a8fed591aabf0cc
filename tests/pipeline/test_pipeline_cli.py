"""The four commands: help, exit codes, messages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wild import FakeBackend, write_video

from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.run import Run

CLI = Path(__file__).parents[2] / "cli.py"


def crossdiff(*args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CLI), *map(str, args)]
    env = os.environ | {"COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", ["extract-2d", "filter", "build-2d", "status"])
def test_help_shows_an_example(command, tmp_path):
    result = crossdiff(command, "--help", cwd=tmp_path)
    assert result.returncode == 0 and f"crossdiff {command}" in result.stdout


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
    result = crossdiff(*args, cwd=tmp_path)
    assert result.returncode == 1 and said in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()


def test_the_latest_run_goes_through_filter_build_and_status(tmp_path):
    videos = tmp_path / "videos"
    write_video(videos / "jumping_jacks_01.mp4")
    (videos / "empty.avi").touch()
    extract_2d([videos], Run.create(tmp_path / "runs" / "0003"), FakeBackend())
    filtered, built = crossdiff("filter", cwd=tmp_path), crossdiff("build-2d", cwd=tmp_path)
    assert "runs/0003  (the latest run)" in filtered.stdout and "1 of 1 clip kept" in filtered.stdout
    assert "1 motion " in built.stdout and list((tmp_path / "runs/0003/features2d").iterdir())
    assert "empty file" in crossdiff("status", cwd=tmp_path).stdout
    status = crossdiff("status", "--stage", "filter", "--csv", "f.csv", cwd=tmp_path)
    assert status.returncode == 0 and "jumping_jacks_01_t0" in (tmp_path / "f.csv").read_text()


def test_partial_failure_is_exit_code_3_and_total_failure_1(tmp_path, shared):
    pytest.importorskip("mediapipe", reason="the mediapipe extra is not installed")
    write_video(tmp_path / "v" / "grey.mp4", frames=5)
    shutil.copy(shared / "videos/people/squats.mp4", tmp_path / "v")
    (tmp_path / "v" / "empty.avi").touch()
    result = crossdiff("extract-2d", "v", cwd=tmp_path)
    assert result.returncode == 3 and "empty.avi: empty file" in result.stderr
    assert "runs/0001  (a new run" in result.stdout and (tmp_path / "runs/0001/config.json").exists()
    assert crossdiff("extract-2d", "v/empty.avi", "--out", "r", cwd=tmp_path).returncode == 1
