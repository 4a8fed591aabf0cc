"""Serve the page as `crossdiff app` does, with a pose estimator that needs no network: PORT MOST_BYTES.

Says on stdout which addresses beyond this machine the process looked for, and, at last, where the page is.
"""

import socket
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))  # the made-up videos and people of those tests

from wild import FakeBackend

from crossdiff.app.models import Models
from crossdiff.app.video import PoseSettings
from crossdiff.pipeline.engines import InProcess

LOOPBACK = {None, "127.0.0.1", "localhost", "::1"}
_look_up, _connect = socket.getaddrinfo, socket.socket.connect


def _watched_look_up(host, *rest, **named):
    _note(host.decode() if isinstance(host, bytes) else host)
    return _look_up(host, *rest, **named)


def _watched_connect(self, where):
    if self.family != socket.AF_UNIX:
        _note(where[0])
    return _connect(self, where)


def _note(host):
    if host not in LOOPBACK:
        _say(f"outside: {host}")


def _say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    socket.getaddrinfo = _watched_look_up
    socket.socket.connect = _watched_connect  # type: ignore[method-assign]
    from crossdiff.app.page import serving, until_stopped

    port, most = map(int, sys.argv[1:])
    with serving(Models(), PoseSettings(FakeBackend(), engine=InProcess()), port=port, max_upload=most) as address:
        _say(f"serving: {address}")
        until_stopped()
