"""Every prompt that users are shown is one whose motion the shipped models make, by a measure."""

import ast
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

from crossdiff import CrossDiffPipeline, Edit
from crossdiff.cli import app
from crossdiff.types import Motion3D
from crossdiff.workflows.examples import EXAMPLES

REPO = Path(__file__).resolve().parents[2]
# Experiments are about prompts that models may not know.
PAGES = [REPO / "README.md", *(p for p in sorted((REPO / "docs").rglob("*.md")) if "experiments" not in p.parts)]
SOURCES = [*sorted((REPO / "crossdiff").rglob("*.py")), *sorted((REPO / "notebooks").glob("*.ipynb"))]
FRAMES, SEEDS = 120, 2
STANDARD = list(EXAMPLES)
MIXED = ["a person walks forward", "a person runs", "a person waves with both hands", "a person raises both hands"]
BETWEEN = ["a person walks like an elderly person"]
UPPER = ["a person waves with both hands", "a person waves the left hand"]


def in_commands(text: str) -> set[str]:
    """Prompts of `crossdiff sample "..."` in a text, wherever it stands."""
    command = typer.main.get_command(app).commands["sample"]
    found: set[str] = set()
    for typed in re.findall(
        r'crossdiff sample((?: (?:"[^"\n]*"|[\w./=:-]+))+)', text.replace("\\\n", " ").replace('\\"', '"')
    ):
        found |= set(command.make_context("sample", shlex.split(typed), resilient_parsing=True).params["prompts"] or ())
    return {prompt.partition("|")[0].strip() for prompt in found} - {"..."}


def in_python(text: str) -> set[str]:
    """Prompts of calls of `pipe` in the Python blocks of a page."""
    found: set[str] = set()
    for code in re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in ("pipe", "PromptPart") and call.args:
                found |= {n.value for n in ast.walk(call.args[0]) if isinstance(n, ast.Constant)}
    return found


def test_pages_show_no_other_prompts():
    shown = {path: in_commands(text) | in_python(text) for path in PAGES for text in [path.read_text("utf-8")]}
    assert {prompt for prompts in shown.values() for prompt in prompts} <= EXAMPLES.keys()
    assert len(shown[REPO / "README.md"]) > 2 and shown[REPO / "docs/index.md"]


def test_help_and_messages_show_no_other_prompts():
    shown = {path.name: in_commands(path.read_text("utf-8")) for path in SOURCES}
    assert {prompt for prompts in shown.values() for prompt in prompts} <= EXAMPLES.keys()
    assert "a person waves with both hands" in shown["sample.py"]


def test_the_app_shows_no_other_prompts():
    page = pytest.importorskip("crossdiff.app.page", reason="the app extra is not installed")
    from crossdiff.app.text import read_lines

    lines = [line for example in page._EXAMPLES for line in read_lines(example, 6.0)]
    assert {line.prompt for line in lines} <= EXAMPLES.keys() and len(lines) > 2
    text = (REPO / "docs/app.md").read_text("utf-8") + (REPO / "crossdiff/app/text.py").read_text("utf-8")
    assert set(re.findall(r"`(a person [^`|]+?)(?: \| [\d.]+)?`", text)) <= EXAMPLES.keys()


def missed(prompts: list[str], motions: list[Motion3D]) -> list[str]:
    """Prompts, with the number measured, whose motion does not show them."""
    pairs = zip(prompts, motions, strict=True)
    return [f"{p}: {EXAMPLES[p].count.text(m)}" for p, m in pairs if not EXAMPLES[p].is_shown_by(m)]


@pytest.mark.parametrize(
    ("model", "prompts", "options"),
    [
        ("stage2-small", STANDARD, {}),
        ("stage1-small", MIXED, {"mixture": True}),
        ("stage2-small", ["a person runs"], {"mixture": True, "switch_step": 300}),
    ],
    ids=["standard", "mixture", "switch step"],
)
def test_a_shipped_model_makes_the_motion_of_the_prompts(model, prompts, options):
    asked = [*prompts] * SEEDS
    motions = CrossDiffPipeline.from_pretrained(model)(asked, FRAMES, seed=0, **options)
    assert missed(asked, motions) == []


def test_a_shipped_model_edits_as_shown():
    pipe = CrossDiffPipeline.from_pretrained()
    walk = pipe("a person walks forward", num_frames=120, seed=0)[0].joints
    ends = Edit.from_joints(walk, keep_frames=[slice(0, 30), slice(90, 120)])
    between = [Motion3D(m.joints[30:90], m.fps, m.skeleton) for m in pipe(BETWEEN, edit=ends)]
    assert missed(BETWEEN, between) == []
    waving = pipe(UPPER, edit=Edit.from_joints(walk, keep_joints="lower"))
    assert missed(UPPER, waving) == []
    assert all(EXAMPLES["a person walks forward"].is_shown_by(motion) for motion in waving)


def test_a_shipped_model_makes_one_motion_of_the_prompts_in_a_row():
    row = [("a person walks forward", 60), ("a person waves with both hands", 60), ("a person runs forward", 40)]
    (motion,) = CrossDiffPipeline.from_pretrained().sequence(row, seed=0)
    ends = np.cumsum([frames for _, frames in row])
    # Without half a second at each end, in which parts blend.
    parts = [
        Motion3D(motion.joints[end - frames + 10 : end - 10], motion.fps, motion.skeleton)
        for end, (_, frames) in zip(ends, row, strict=True)
    ]
    assert missed([prompt for prompt, _ in row], parts) == []


def test_no_measure_is_met_by_somebody_who_stands_still():
    still = CrossDiffPipeline.from_pretrained()("a person walks", 4, num_inference_steps=2)[0].joints[:1]
    assert len(missed(STANDARD, [Motion3D(np.repeat(still, 40, axis=0), 20.0)] * len(STANDARD))) == len(STANDARD)


def test_measures_tell_the_prompts_apart():
    """Each prompt's motion is not that of most others."""
    motions = CrossDiffPipeline.from_pretrained()(STANDARD, FRAMES, seed=0)
    for prompt, example in EXAMPLES.items():
        met = [other for other, m in zip(STANDARD, motions, strict=True) if example.is_shown_by(m)]
        assert prompt in met and len(met) <= 6, (prompt, met)
