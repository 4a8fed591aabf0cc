"""`crossdiff app`'s page in a process of its own, as tests start it."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest
from processes import PATIENCE


@dataclass
class Served:
    """The page's process. folder: where its temporary files are; said: the lines that it printed.

    reader: reads the rest of them as they come, or the process would wait for someone to do it.
    """

    process: subprocess.Popen[str]
    port: int
    most_bytes: int
    folder: Path
    said: list[str] = field(default_factory=list)
    reader: Thread | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def stop(self) -> int:
        """As a service manager stops it; returns the exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=PATIENCE)
        if self.reader is not None:
            self.reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


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
            served.reader = Thread(target=lambda: served.said.extend(map(str.strip, process.stdout or ())), daemon=True)
            served.reader.start()
            return served
    raise AssertionError(f"the page's process ended with {process.wait()}: {served.said}")
