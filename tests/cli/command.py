"""Running `crossdiff` as a user types it: in this process (fast), or in one of its own."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crossdiff.cli import main
from crossdiff.files import read_json, write_json
from crossdiff.pipeline.run import Run

SCRIPT = Path(__file__).parents[2] / "cli.py"


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    def ok(self) -> Said:
        assert self.code == 0, f"exit code {self.code}\n{self.out}{self.err}"
        return self

    def failed(self, *words: str, code: int = 1) -> Said:
        """The command ended with this code and one line that holds the words."""
        assert self.code == code, f"exit code {self.code}\n{self.out}{self.err}"
        lines = [line for line in self.err.splitlines() if line.startswith("crossdiff: ")]
        assert len(lines) == 1 and "Traceback" not in self.err, self.err
        assert all(word in self.err for word in words), self.err
        return self


def crossdiff(*args: object) -> Said:
    """The console script's `main` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["crossdiff", *map(str, args)])
        patch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as end:
            main()
    return Said(int(end.value.code or 0), out.getvalue(), err.getvalue())


def start(*args: object) -> subprocess.Popen[str]:
    """`python cli.py ...` in a process of its own, in the current folder."""
    command = [sys.executable, str(SCRIPT), *map(str, args)]
    env = os.environ | {"COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_hear_interrupts
    )


def _hear_interrupts() -> None:
    """A test run in the background of a shell ignores Ctrl-C, and so would every process that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def crossdiff_process(*args: object) -> Said:
    process = start(*args)
    out, err = process.communicate(timeout=120)
    return Said(process.returncode, out, err)


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """When each file below a folder was last written, and its content."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in files}


def copy_to(source: Path, here: Path) -> Path:
    """A copy of a folder with `videos/` and `runs/0001`, as if it had been made there; returns the run."""
    shutil.copytree(source, here, dirs_exist_ok=True)
    run = Run(here / "runs/0001")
    recorded = read_json(run.config)
    recorded["extract"]["inputs"][0]["paths"] = [str(here.resolve() / "videos")]
    write_json(run.config, recorded)
    ledger = run.ledger
    for video in ledger.videos().values():
        ledger.put_video(replace(video, path=here / "videos" / video.path.name))
    return Path("runs/0001")
