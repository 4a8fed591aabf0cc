"""The shipped models, a served page, and videos with a pose estimator that needs no network."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdiff.app.models import Models
from crossdiff.app.video import PoseSettings
from crossdiff.pipeline.engines import InProcess

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))  # the made-up videos and people of those tests

from wild import FakeBackend, write_video  # noqa: E402

MOST_BYTES = 300_000


@pytest.fixture(scope="session")
def models() -> Models:
    return Models()


@pytest.fixture
def pose() -> PoseSettings:
    return PoseSettings(FakeBackend(), engine=InProcess())


@pytest.fixture
def told() -> list[tuple[float, str]]:
    """Give its `append_pair` to what tells: `tell=lambda *args: told.append(args)`."""
    return []


@pytest.fixture(scope="session")
def jumper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video in which `FakeBackend` sees someone wave for 3.5 seconds."""
    return write_video(tmp_path_factory.mktemp("video") / "jumping_jacks.mp4", frames=70)


@pytest.fixture(scope="session")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def asked_outside() -> list[object]:
    """Addresses beyond this machine that the served page's own process looked for."""
    return []


@pytest.fixture(scope="session")
def address(models: Models, port: int, asked_outside: list[object]) -> Iterator[str]:
    """The page, served; every connection that this process opens meanwhile is watched."""
    pytest.importorskip("gradio", reason="the app extra is not installed")
    from crossdiff.app.page import serving

    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def watched_look_up(host, *rest, **named):
        if host not in (None, "127.0.0.1", "localhost", b"127.0.0.1", b"localhost"):
            asked_outside.append(host)
        return look_up(host, *rest, **named)

    def watched_connect(self, where):
        if self.family != socket.AF_UNIX and where[0] not in ("127.0.0.1", "::1"):
            asked_outside.append(where)
        return connect(self, where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", watched_look_up)
        patch.setattr(socket.socket, "connect", watched_connect)
        settings = PoseSettings(FakeBackend(), engine=InProcess())
        with serving(models, settings, port=port, max_upload=MOST_BYTES) as served:
            yield served
