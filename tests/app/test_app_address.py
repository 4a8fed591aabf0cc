"""Whether a port is free, before anything heavy is loaded."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from processes import PATIENCE

from crossdiff.app.address import check_address
from crossdiff.errors import InputError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_and_a_foreign_host_are_refused(taken):
    with pytest.raises(InputError, match=rf"1:{taken}: cannot be served \(.*in use.*; choose another --port"):
        check_address("127.0.0.1", taken)
    with pytest.raises(InputError, match="or --host"):
        check_address("192.0.2.1", 7860)  # an address for documentation, of no machine
    with pytest.raises(InputError, match="cannot be served"):
        check_address("x" * 64, 7860)


def test_a_port_that_was_closed_can_be_served_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0]:
            client.send(b"x")
    check_address("127.0.0.1", port)


def test_the_command_finds_out_before_it_loads_anything_heavy(taken):
    code = """
import sys
from crossdiff.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 1
print(sorted({"torch", "numpy", "gradio", "cv2"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, "app", "--port", str(taken)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "cannot be served" in done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
