"""`--help`: quick, complete, and with an example that works."""

import re
import shlex
import subprocess
import sys

import pytest
import typer
from command import crossdiff
from processes import PATIENCE

from crossdiff import __version__
from crossdiff.cli import COMMANDS as TABLE
from crossdiff.cli import app

TOP = dict(typer.main.get_command(app).commands)
# Those of groups by both names, such as `study ablations`.
COMMANDS = {name: c for name, c in TOP.items() if not hasattr(c, "commands")}
COMMANDS |= {f"{group} {n}": c for group, g in TOP.items() for n, c in getattr(g, "commands", {}).items()}


def test_every_command_is_there():
    stages = {"extract-2d", "import-2d", "filter", "build-2d", "pseudo-label", "finetune", "sample"}
    rest = {"prepare", "train", "convert", "convert-pose", "run", "demo", "status", "report", "evaluate-lift", "export"}
    rest |= {"train-evaluator", "convert-evaluator", "evaluate", "compare", "study ablations", "study held-out"}
    rest |= {"study sampling", "study forgetting", "recipe", "render", "view", "app", "models", "distil"}
    assert set(COMMANDS) == stages | rest


@pytest.mark.parametrize("name", COMMANDS)
def test_example_can_be_typed(name):
    """Every option of the example exists, with a value of its type."""
    said = crossdiff(*name.split(), "--help").ok()
    assert f"Example: crossdiff {name}" in said.out
    example = re.search(r"Example: crossdiff (.*)", COMMANDS[name].help)[1]
    args = shlex.split(example)[len(name.split()) :]
    COMMANDS[name].make_context(name, args)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name):
    assert [p.name for p in COMMANDS[name].params if not getattr(p, "help", None)] == []


def test_help_loads_no_heavy_library():
    code = """
import sys
from crossdiff.cli import main
names = sys.argv[1:]
for name in ["", *names]:
    sys.argv = ["crossdiff", *name.split(), "--help"]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, name
heavy = {"torch", "cv2", "mediapipe", "pandas", "numpy", "transformers", "diffusers", "gradio"}
print("heavy:", sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *COMMANDS], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_sampling_loads_only_what_it_needs(tmp_path):
    """Many of these take as long to import as a motion to sample; torch._dynamo, its compiler, three times that."""
    code = """
import sys
from crossdiff.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
heavy = {
    "torch._dynamo", "torch.fx.experimental.symbolic_shapes", "sympy", "pandas", "transformers", "diffusers",
    "scipy.stats", "scipy.optimize", "scipy.interpolate", "scipy.spatial",
    "cv2", "av", "matplotlib", "PIL", "imageio_ffmpeg", "rich", "tensorboard", "lightning_fabric", "gradio",
    "mediapipe",
}
print("heavy:", sorted(heavy & set(sys.modules)))
"""
    quick = ["sample", "a", "--steps", "2", "--frames", "4", "--no-video", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *quick], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_a_command_is_imported_alone_and_by_its_topic():
    code = """
import sys
from crossdiff.cli import COMMANDS, main
sys.argv = ["crossdiff", "status", "--help"]
try:
    main()
except SystemExit:
    pass
modules = {target.partition(":")[0] for names in COMMANDS.values() for target in names.values()}
print(sorted(name for name in modules if f"crossdiff.cli.{name}" in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "['status']"


def test_topics_are_panels_of_the_help():
    said = crossdiff("--help").ok().out
    places = [said.index(f"─ {topic} ─") for topic in TABLE]
    assert places == sorted(places)
    for topic, names in TABLE.items():
        panel = said[said.index(f"─ {topic} ─") :].split("╰")[0]
        assert all(f"│ {name.split()[0]} " in panel for name in names)


def test_version():
    assert crossdiff("--version").ok().out == f"crossdiff {__version__}\n"


def test_no_command_shows_the_help():
    said = crossdiff()
    assert said.code == 2 and "extract-2d" in said.out + said.err


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["sample", "--frams", "3"], "--frames"),
        (["smaple"], "sample"),
        (["sample", "a", "--frames", "many"], "integer"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(args, word):
    said = crossdiff(*args)
    assert said.code == 2 and word in said.err and "Traceback" not in said.err
