"""Imports run one way, and heavy optional libraries stay in the one module that uses them."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
FOLDERS = {name: REPO / name for name in ("crossdiff", "pipeline", "annotations", "configs", "pretrained")}
# Each layer may import from those before it, and within itself where it is one package.
LAYERS = [
    {
        "errors",
        "device",
        "skeleton",
        "files",
        "hub",
        "masks",
        "moved",
        "options",
        "progress",
        "record",
        "templates",
        "threads",
        "types",
        "video",
        "wording",
        "yaml_text",
        "config",
        "configs",
    },
    {"annotations"},
    {"representation"},
    {"minilm"},
    {"text"},
    {"novelty"},
    {"models"},
    {"checkpoint", "learnt"},
    {"diffusion"},
    {"data"},
    {"viewing", "export", "training", "pipeline"},
    {"evaluators"},
    {"evaluation"},
    {"studies"},
    {"workflows"},
    {"app"},
    # pretrained: files alone.
    {"cli", "pretrained"},
]
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
OPTIONAL = {"mediapipe", "mmpose", "mmdet", "mmcv", "ray", "gradio", "plotly"}


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module as it is imported."""
    found = {}
    for name, folder in FOLDERS.items():
        prefix = () if name == "crossdiff" else (name,)
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            dotted = ".".join(("crossdiff", *prefix, *parts)).removesuffix(".__init__")
            found[dotted] = path
    return found


@cache
def imports(path: Path) -> set[str]:
    """Full names of everything that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(dotted: str) -> str | None:
    """The layer's part that a dotted name below `crossdiff` belongs to; None for other libraries, and the version."""
    library, *inside = dotted.split(".")
    return inside[0] if library == "crossdiff" and inside and inside[0] in RANK else None


MODULES = modules()


def test_every_module_has_a_layer():
    parts = {name.split(".")[1] for name in MODULES if "." in name}
    assert parts <= RANK.keys(), f"name a layer for {parts - RANK.keys()}"
    assert len(MODULES) > 60


@pytest.mark.parametrize("name", sorted(n for n in MODULES if "." in n))
def test_imports_run_one_way(name):
    own = part_of(name)
    assert own is not None
    for imported in imports(MODULES[name]):
        if not imported.startswith("crossdiff.") or part_of(imported) is None:
            continue
        other = part_of(imported)
        beside = RANK[other] == RANK[own] and {own, other} != {"pipeline", "training"}
        assert RANK[other] < RANK[own] or beside, f"{name} imports {imported}"


def test_basic_modules_do_not_import_each_other_in_circles():
    basic = {n.split(".")[1]: {part_of(i) for i in imports(p)} for n, p in MODULES.items() if RANK.get(part_of(n)) == 0}
    done: set[str] = set()
    while basic:
        ready = {part for part, needs in basic.items() if not (needs - {None, part}) & basic.keys()}
        assert ready, f"circle among {sorted(basic)}"
        done |= ready
        basic = {part: needs for part, needs in basic.items() if part not in ready}


def test_pipeline_and_training_never_import_each_other():
    for name, path in MODULES.items():
        for one, other in (("pipeline", "training"), ("training", "pipeline")):
            if part_of(name) == one:
                assert not [i for i in imports(path) if i.startswith(f"crossdiff.{other}")], name


def test_each_optional_library_is_imported_in_one_module_alone():
    users: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        for imported in imports(path):
            if imported.split(".")[0] in OPTIONAL:
                users.setdefault(imported.split(".")[0], set()).add(name)
    assert users.get("mediapipe") == {"crossdiff.pipeline.backends.mediapipe"}
    assert all(len(names) == 1 for names in users.values()), users


def test_mapped_folders_are_never_imported_by_their_bare_names():
    for name, path in MODULES.items():
        bare = {i for i in imports(path) if i.split(".")[0] in FOLDERS.keys() - {"crossdiff"}}
        assert not bare, f"{name} imports {bare}"


def definitions(path: Path) -> set[str]:
    """Classes and type aliases of a module: names in camel case that are assigned or defined at its top."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {t.id for t in targets if isinstance(t, ast.Name) and re.match(r"_?[A-Z]\w*[a-z]", t.id)}
    return names


def test_a_class_or_type_has_one_meaning_in_the_package():
    homes: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        for defined in definitions(path):
            homes.setdefault(defined, []).append(name)
    twice = {defined: names for defined, names in homes.items() if len(names) > 1}
    assert not twice, "name these apart"
