"""The wheel: every package is listed, one top-level name, and the files that are read at run time are in it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest
from processes import PATIENCE

REPO = Path(__file__).resolve().parents[1]
MAPPED = ("pipeline", "annotations", "configs", "pretrained")


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_folder_is_listed(project):
    folders = {p.parent for top in ("crossdiff", *MAPPED) for p in (REPO / top).rglob("__init__.py")}
    dotted = {".".join(f.relative_to(REPO).parts) for f in folders}
    packages = {d if d.split(".")[0] == "crossdiff" else f"crossdiff.{d}" for d in dotted}
    assert packages == set(project["tool"]["setuptools"]["packages"])
    for top in ("crossdiff", *MAPPED):  # a folder without __init__.py would be left out in silence
        for path in (REPO / top).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of the sources to build from, so that the checkout stays as it is."""
    source = tmp_path_factory.mktemp("source")
    for top in ("crossdiff", *MAPPED):
        copytree(REPO / top, source / top, ignore=ignore_patterns("__pycache__"))
    for path in REPO.iterdir():
        if path.is_file():
            copy(path, source)
    return source


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> set[str]:
    """Names in the wheel."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as z:
        return set(z.namelist())


@pytest.mark.slow
def test_the_wheel_has_one_top_level_name(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"crossdiff"}


@pytest.mark.slow
def test_the_wheel_holds_all_sources_and_what_they_read(source, wheel):
    for top in ("crossdiff", *MAPPED):
        prefix = "" if top == "crossdiff" else "crossdiff/"
        for pattern in ("*.py", "*.yaml", "*.html", "*.css", "*.js", "*.safetensors", "*.json", "*.npz", "py.typed"):
            for path in (source / top).rglob(pattern):
                assert prefix + str(path.relative_to(source)) in wheel
    assert "crossdiff/viewing/page.html" in wheel and "crossdiff/viewing/player/player.js" in wheel
    assert "crossdiff/annotations/ucf101.yaml" in wheel
    assert "crossdiff/configs/stage1-small.yaml" in wheel


@pytest.mark.slow
def test_the_wheel_holds_no_tests_and_the_licence(wheel):
    assert not [name for name in wheel if "test" in name.lower().split("/")[-1]]
    if (REPO / "LICENSE").is_file():
        assert any(name.endswith("licenses/LICENSE") for name in wheel)


def test_the_console_script_points_at_something_that_exists(project):
    from importlib import import_module

    module, _, name = project["project"]["scripts"]["crossdiff"].partition(":")
    assert callable(getattr(import_module(module), name))
