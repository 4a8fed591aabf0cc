"""What many tests use: the reference arrays beside the checkout, a small dataset, a browser, hypothesis settings."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from synthetic import write_raw

from crossdiff.data.prepare import PrepareConfig, prepare

settings.register_profile(
    "crossdiff",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # it measures the machine
    max_examples=25,
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("crossdiff")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference arrays and clips; a test that needs it is skipped elsewhere, but fails in CI."""
    if not (_SHARED / "golden").is_dir():
        reason = f"{_SHARED}: the reference arrays are not there"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return _SHARED


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`made_once(name, make)`: a folder that `make(folder)` fills in one of the test processes while the others wait.

    For what takes long to make and is only read.
    """
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = common / name, common / f"{name}.done"
        with FileLock(common / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium with WebGL in software; tests of pages are skipped where it, or playwright, is not installed."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    software_gl = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=software_gl)
        yield started
        started.close()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of eight clips and their mirrored copies, 4 + 4 of them for training. Not to be changed."""
    folder = tmp_path_factory.mktemp("dataset")
    write_raw(folder / "raw", [45, 60, 52, 70, 41, 48, 55, 66])
    prepare(folder / "raw", folder / "data", PrepareConfig())
    return folder / "data"
