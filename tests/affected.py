"""The test files that a change needs, one a line: `make check` runs them.

A test file is needed when it was changed, or when it imports a changed module, itself or through one other module.
Of a change that reaches more than `MOST` of them, its own and those that import it themselves come first; the rest is
left to `make test`. So are files that are no modules, except for pages and for what `ALWAYS` checks.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
# Quick, and what they check is spread over all files.
ALWAYS = ("tests/test_architecture.py", "tests/test_config.py", "tests/cli/test_cli_help.py")
PAGES = "tests/docs/test_examples.py"
MOST = 25
MAPPED = ("pipeline", "annotations", "configs", "pretrained")


def changed() -> set[str]:
    """Files that differ from the branch `main`, committed or not, by their paths in the repository."""
    base = _git("merge-base", "HEAD", "main") or _git("merge-base", "HEAD", "origin/main") or ["HEAD"]
    return {*_git("diff", "--name-only", base[0]), *_git("ls-files", "--others", "--exclude-standard")}


def _git(*words: str) -> list[str]:
    return subprocess.run(["git", *words], cwd=REPO, capture_output=True, text=True, check=False).stdout.split()


def module(path: str) -> str:
    """The name under which a file is imported: those of the package by their dotted names, helpers of tests by stem."""
    parts = Path(path).with_suffix("").parts
    if parts[0] == "tests":
        return parts[-1]
    dotted = parts if parts[0] == "crossdiff" else ("crossdiff", *parts)
    return ".".join(dotted).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Modules that a file names: in imports, and in the strings by which tests replace things."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("crossdiff."):
            yield from (node.value.rsplit(".", cut)[0] for cut in range(3))


def affected(changes: set[str]) -> list[str]:
    """Test files, by their paths in the repository, for changed files: nearest first."""
    files = [p for top in ("crossdiff", "tests", *MAPPED) for p in (REPO / top).rglob("*.py")]
    names = {str(p.relative_to(REPO)): set(imported(p)) for p in files if "mmpose_env" not in p.parts}
    reached = dict.fromkeys(sorted(changes & names.keys()), 0)
    for distance in (1, 2):
        modules = {module(path) for path in reached}
        reached |= {path: distance for path in names.keys() - reached.keys() if names[path] & modules}
    shared = {str(Path(path).parent) for path in changes if Path(path).name == "conftest.py"}
    reached |= {path: 1 for path in names.keys() - reached.keys() if str(Path(path).parent) in shared}
    tests = [path for path in reached if Path(path).name.startswith("test_")]
    own = {f"test_{Path(path).stem}.py" for path in changes}
    tests.sort(key=lambda path: (Path(path).name not in own, reached[path], path))
    if len(tests) > MOST:
        sys.stderr.write(f"{len(tests)} test files may be affected; the nearest {MOST} are run: see `make test`\n")
    pages = [PAGES] if any(path.endswith(".md") for path in changes) else []
    return [*dict.fromkeys([*ALWAYS, *pages, *tests[:MOST]])]


if __name__ == "__main__":
    sys.stdout.write("\n".join(affected(set(sys.argv[1:]) or changed())) + "\n")
