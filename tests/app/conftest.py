"""The shipped models, the page served by a process of its own, and videos for a pose estimator without a network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdiff.app.models import Models
from crossdiff.app.video import PoseSettings
from crossdiff.pipeline.engines import InProcess

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))  # the made-up videos and people of those tests

from page_process import Served, start_page
from wild import FakeBackend, write_video


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One page for all tests that look at it; it ends as asked, and nothing that was uploaded is left."""
    folder = tmp_path_factory.mktemp("served")
    started = start_page(folder)
    yield started
    assert started.stop() == 0
    # Gradio leaves an empty folder of its own.
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.fixture(scope="session")
def models() -> Models:
    return Models()


@pytest.fixture
def pose() -> PoseSettings:
    return PoseSettings(FakeBackend(), engine=InProcess())


@pytest.fixture
def told() -> list[tuple[float, str]]:
    """What was told of progress, to be filled by a test."""
    return []


@pytest.fixture(scope="session")
def jumper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video in which `FakeBackend` sees someone wave for 3.5 seconds."""
    return write_video(tmp_path_factory.mktemp("video") / "jumping_jacks.mp4", frames=70)
