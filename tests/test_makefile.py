"""The build of PyTorch that `make` installs, with stand-ins for Python, pip, `uname` and `nvidia-smi`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
INDEX = "https://download.pytorch.org/whl/cpu"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

# Makes an environment whose pip only notes how it was called, and answers the probe of the index.
PYTHON = """#!/bin/sh
case "$1" in
-m) mkdir -p "$3/bin"; cp pip "$3/bin/pip" ;;
-c) echo "probe $2" >> calls; exit $INDEX_ANSWERS ;;
esac
"""
PIP = """#!/bin/sh
echo "pip $*" >> calls
case "$*" in *--index-url*) exit $INDEX_INSTALLS ;; esac
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPO / name, tmp_path)
    write_script(tmp_path / "pip", PIP)
    write_script(tmp_path / "python", PYTHON)
    write_script(tmp_path / "nvidia-smi", "#!/bin/sh\nexit $DRIVER\n")
    write_script(tmp_path / "uname", "#!/bin/sh\necho $SYSTEM\n")
    return tmp_path


def write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def install(folder: Path, *words: str, system="Linux", driver=False, answers=True, installs=True) -> list[str]:
    """How pip and the probe were called by `make install`; answers, installs: what the index of CPU builds does."""
    said = {"SYSTEM": system, "DRIVER": int(not driver), "INDEX_ANSWERS": int(not answers)}
    said |= {"INDEX_INSTALLS": int(not installs), "PATH": f"{folder}:{os.environ['PATH']}"}
    (folder / "calls").write_text("")
    command = ["make", "install", f"PYTHON={folder / 'python'}", *words]
    env = {k: v for k, v in os.environ.items() if k != "MAKEFLAGS"} | {k: str(v) for k, v in said.items()}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "calls").read_text().splitlines()


def test_without_a_driver_the_cpu_build_is_installed_first(checkout):
    probe, torch, rest = install(checkout)
    assert f'"{INDEX}/torch/"' in probe and "signal.alarm(5)" in probe
    assert torch.endswith(f"--no-deps -c constraints.txt --index-url {INDEX} torch")
    assert rest.endswith("-c constraints.txt -e .[dev]") and "index-url" not in rest
    assert install(checkout) == []


@pytest.mark.parametrize(
    ("words", "given"),
    [([], {"driver": True}), ([], {"system": "Darwin"}), (["CUDA=1"], {}), ([], {"answers": False})],
)
def test_otherwise_the_package_index_decides(checkout, words, given):
    calls = install(checkout, *words, **given)
    assert [call for call in calls if call.startswith("pip")] == [calls[-1]] and "index-url" not in calls[-1]
    assert len(calls) == (2 if given.get("answers") is False else 1)  # one probe, only where its answer counts


def test_an_index_without_the_build_does_not_stop_the_installation(checkout):
    _, failed, rest = install(checkout, installs=False)
    assert "--index-url" in failed and rest.endswith("-e .[dev]")


def test_the_cuda_build_replaces_a_cpu_build(checkout):
    install(checkout)
    (checkout / ".venv/lib/python3.11/site-packages/torch-2.13.0+cpu.dist-info").mkdir(parents=True)
    removed, rest = install(checkout, "CUDA=1")
    assert removed == "pip uninstall --quiet --yes torch" and rest.endswith("-e .[dev]")
    assert install(checkout) == []
