"""Which requests the page answers: those for its own address, and uploads up to a limit for all together."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_ANY = {"0.0.0.0", "::"}


class RequestGuard:
    """ASGI middleware that refuses requests made for another host or by a page of another origin.

    A page anywhere can have a browser send requests to an address of this machine: by a name that it lets point here,
    which is then in Host, or directly, with its own address in Origin.

    host, port: served at. With 0.0.0.0, Host may be any IP address, which no other site can give itself.
    names: further names that Host and Origin may have, at any port, such as a proxy's.
    folder: where uploads and results are written; max_total: bytes of all uploads in it, with those in progress.
    """

    def __init__(self, app: App, host: str, port: int, names: Collection[str], folder: Path, max_total: int) -> None:
        self.app, self.port, self.folder, self.max_total = app, port, folder, max_total
        self.any_address = host in _ANY
        self.own = {host.lower(), *(_LOOPBACK if host.lower() in _LOOPBACK | _ANY else ())}
        if self.any_address:
            self.own.add(socket.gethostname().lower())
        self.names = {name.lower() for name in names}
        self._uploading: list[int] = []
        self._uploaded: set[Path] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {bytes(name).lower(): bytes(value).decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if not self._is_own(f"//{host}") or (origin is not None and not self._is_own(origin)):
            await _refuse(scope, send, 403, "This page answers requests for its own address alone (--allow-host NAME).")
        elif scope["type"] == "http" and scope["method"] == "POST" and scope["path"].rstrip("/").endswith("/upload"):
            await self._upload(headers.get(b"content-length", ""), scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_own(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            name, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return False
        if name in self.names:
            return True
        if (port or {"https": 443}.get(parts.scheme, 80)) != self.port:
            return False
        return name in self.own or (self.any_address and _is_address(name))

    async def _upload(self, length: str, scope: Scope, receive: Receive, send: Send) -> None:
        if not length.isdecimal() or len(length) > 18:
            await _refuse(scope, send, 411, "The length of an upload must be known.")
            return
        size = int(length)
        if self._kept() + sum(self._uploading) + size > self.max_total:
            await _refuse(scope, send, 413, "There is no room for this file now; try again later.")
            return
        self._uploading.append(size)
        answer = bytearray()

        async def note(message: MutableMapping[str, Any]) -> None:
            answer.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            self._uploaded |= _paths(bytes(answer))
            self._uploading.remove(size)
            if not self._uploading:
                # What was received whole has been moved into a folder; these were cut off.
                for path in self.folder.glob("*"):
                    if path.is_file():
                        path.unlink(missing_ok=True)

    def _kept(self) -> int:
        """Bytes of the uploads that are still there; old ones are deleted after a while."""
        sizes = {path: size for path in self._uploaded if (size := _size_of(path)) is not None}
        self._uploaded &= sizes.keys()
        return sum(sizes.values())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _paths(answer: bytes) -> set[Path]:
    """The files that the answer to an upload, a list in JSON, says were written."""
    try:
        return {Path(path) for path in json.loads(answer)}
    except (ValueError, TypeError):  # it was refused
        return set()


def _size_of(path: Path) -> int | None:
    """Bytes of a file; None if it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return None


async def _refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    kind = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": reason.encode()})
