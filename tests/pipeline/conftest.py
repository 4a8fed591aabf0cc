"""Runs and videos that several tests use."""

from pathlib import Path

import pytest
from wild import FakeBackend, write_video

from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.run import Run


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of three good videos, one of them without a person."""
    folder = tmp_path / "videos"
    write_video(folder / "PullUps" / "v_PullUps_g01_c01.mp4")
    write_video(folder / "jumping_jacks_01.mp4", frames=70)
    write_video(folder / "nobody.mp4", grey=0)
    return folder


@pytest.fixture
def run(tmp_path: Path, videos: Path) -> Run:
    """A run that has extracted `videos`."""
    made = Run.create(tmp_path / "run")
    extract_2d([videos], made, FakeBackend())
    return made
