"""The shipped models, the page served by a process of its own, and videos for a pose estimator without a network."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest

from crossdiff.app.models import Models
from crossdiff.app.video import PoseSettings
from crossdiff.pipeline.engines import InProcess

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))  # the made-up videos and people of those tests

from wild import FakeBackend, write_video


@dataclass
class Served:
    """The page's process. folder: where its temporary files are; said: the lines that it printed."""

    process: subprocess.Popen[str]
    port: int
    most_bytes: int
    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def stop(self) -> int:
        """As a service manager stops it; returns the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)


def start_page(folder: Path) -> Served:
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("the app extra is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    most = 300_000
    command = [sys.executable, str(Path(__file__).with_name("serve_page.py")), str(port), str(most)]
    env = os.environ | {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    served = Served(process, port, most, folder)
    assert process.stdout is not None
    for line in process.stdout:
        served.said.append(line.strip())
        if line.startswith("serving: "):
            # The rest is read as it comes, or the process would wait for a reader.
            Thread(target=lambda: served.said.extend(map(str.strip, process.stdout or ())), daemon=True).start()
            return served
    raise AssertionError(f"the page's process ended with {process.wait()}: {served.said}")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One page for all tests that look at it."""
    started = start_page(tmp_path_factory.mktemp("served"))
    yield started
    started.stop()


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
