"""Waiting for processes that tests start; a busy machine makes them slow, never wrong."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

# Seconds after which a process hangs. Nothing waits as long as that on a machine that is only busy.
PATIENCE = 600


def wait_until(happened: Callable[[], object], process: subprocess.Popen) -> None:
    """Wait for something that a running process does."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
