"""What README and docs show works: Python is run, commands are parsed, links lead to files."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from crossdiff.cli import app

REPO = Path(__file__).resolve().parents[2]
PAGES = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted((REPO / "docs").rglob("*.md"))]
# Blocks after this comment need files that a reader has and a test has not.
NOT_RUN = "<!-- not run -->"


def blocks(path: Path, language: str) -> list[str]:
    pattern = rf"(?P<before>[^\n]*)\n+```{language}\n(?P<code>.*?)^```$"
    found = re.finditer(pattern, "\n" + path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [match["code"] for match in found if NOT_RUN not in match["before"]]


def named(path: Path) -> str:
    return str(path.relative_to(REPO))


@pytest.mark.parametrize("path", [p for p in PAGES if blocks(p, "python")], ids=named)
def test_python_runs(path, tmp_path, monkeypatch):
    """The blocks of a page, one after the other, as a reader types them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for code in blocks(path, "python"):
        exec(compile(code, named(path), "exec"), names)


def test_readme_and_quick_start_have_python():
    assert blocks(REPO / "README.md", "python") and len(blocks(REPO / "docs/index.md", "python")) > 2


@pytest.mark.parametrize("path", [p for p in PAGES if blocks(p, "sh")], ids=named)
def test_commands_can_be_typed(path):
    for block in blocks(path, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if not words or Path(words[0]).name != "crossdiff":
                continue
            command, name, args = typer.main.get_command(app), words[0], words[1:]
            while hasattr(command, "commands"):
                name, args = args[0], args[1:]
                assert name in command.commands, line
                command = command.commands[name]
            command.make_context(name, args)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_links_lead_to_files(path):
    for link in re.findall(r"\]\((?![a-z]+:|#)([^)\s#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link
