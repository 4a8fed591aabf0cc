"""Requests for other hosts and from other origins, and uploads beyond the limit or cut off."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from crossdiff.app.guard import RequestGuard


class Page:
    """A page that writes what is uploaded as Gradio does, to a temporary file first, and answers with its path."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, 0
        self.cut_off = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        (self.folder / f"tmp{self.asked}").write_bytes(bytes(50))
        if self.cut_off:
            raise ConnectionError
        (self.folder / str(self.asked)).mkdir()
        (self.folder / f"tmp{self.asked}").rename(self.folder / str(self.asked) / "a.mp4")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        written = str(self.folder / str(self.asked) / "a.mp4")
        await send({"type": "http.response.body", "body": json.dumps([written]).encode()})


def ask(guard: RequestGuard, kind: str = "http", path: str = "/", method: str = "GET", **headers: str) -> Any:
    """Status of the answer, or the code that a websocket is closed with."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(guard({"type": kind, "path": path, "method": method, "headers": pairs}, None, send))  # type: ignore[arg-type]
    return sent[0].get("status") or sent[0].get("code")


def guarded(folder: Path, host: str = "127.0.0.1", names: tuple[str, ...] = ()) -> tuple[RequestGuard, Page]:
    page = Page(folder)
    return RequestGuard(page, host, 7860, names, folder, 200), page


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:7860"}, 200),
        ({"host": "localhost:7860"}, 200),
        ({"host": "LOCALHOST.:7860"}, 200),
        ({"host": "[::1]:7860"}, 200),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:7860"}, 200),
        ({}, 403),
        ({"host": "127.0.0.1"}, 403),
        ({"host": "evil.example:7860"}, 403),
        ({"host": "127.0.0.1.evil.example:7860"}, 403),
        ({"host": "127.0.0.1:7860@evil.example"}, 403),
        ({"host": "127.0.0.1:x"}, 403),
        ({"host": "192.168.1.2:7860"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "http://evil.example"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:9999"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "null"}, 403),
        ({"host": "127.0.0.1:7860", "origin": ""}, 403),
    ],
)
def test_only_requests_for_the_address_itself_are_answered(tmp_path, headers, status):
    guard, page = guarded(tmp_path)
    assert ask(guard, **headers) == status
    assert page.asked == (status == 200)


def test_names_that_are_allowed_and_every_address_where_all_are_served(tmp_path):
    guard, _ = guarded(tmp_path, names=("Proxy.example",))
    assert ask(guard, host="proxy.example", origin="https://proxy.example") == 200
    assert ask(guard, host="proxy.example:8443") == 200
    assert ask(guard, host="other.example") == 403
    (tmp_path / "everywhere").mkdir()
    everywhere, _ = guarded(tmp_path / "everywhere", "0.0.0.0")
    assert ask(everywhere, host="192.168.1.2:7860") == 200
    assert ask(everywhere, host="evil.example:7860") == 403


def test_a_websocket_is_closed(tmp_path):
    guard, page = guarded(tmp_path)
    assert ask(guard, "websocket", host="evil.example:7860") == 1008
    assert not page.asked


def test_uploads_count_together_and_broken_ones_leave_nothing(tmp_path):
    guard, page = guarded(tmp_path)
    upload = {"path": "/gradio_api/upload", "method": "POST", "host": "127.0.0.1:7860"}
    assert ask(guard, **upload) == 411
    assert ask(guard, **upload, content_length="-5") == 411
    assert ask(guard, **upload, content_length="201") == 413
    assert ask(guard, **upload, content_length="60") == 200
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "motion.glb").write_bytes(bytes(1000))  # results do not count
    page.cut_off = True
    with pytest.raises(ConnectionError):
        ask(guard, **upload, content_length="60")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.mp4", "motion.glb"]
    page.cut_off = False
    assert [ask(guard, **upload, content_length="60") for _ in range(3)] == [200, 200, 413]
    (tmp_path / "1" / "a.mp4").unlink()  # as old files are
    assert ask(guard, **upload, content_length="60") == 200
