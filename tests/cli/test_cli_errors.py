"""What a command cannot use: one line that says what, got and what to do next, and an exit code; never a traceback."""

import io
import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from command import crossdiff, crossdiff_process, state_of
from synthetic import small_config

from crossdiff.cli import main
from crossdiff.pipeline.run import Run
from crossdiff.viewing.encode import write_video
from crossdiff.workflows.defaults import model_name


def grey_video(path: Path, frames: int = 5) -> Path:
    """A video without a person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video((np.full((120, 160, 3), 90 + n, np.uint8) for n in range(frames)), path, 20.0)


@pytest.mark.parametrize("command", ["filter", "build-2d", "pseudo-label", "finetune", "status"])
def test_without_a_run(here, command):
    crossdiff(command).failed(f"no run under {here / 'runs'}", "crossdiff extract-2d VIDEOS")
    crossdiff(command, "nowhere").failed("nowhere: not a run folder", "crossdiff extract-2d VIDEOS --out nowhere")
    assert not list(here.iterdir())


@pytest.mark.parametrize("command", [["extract-2d"], ["run"], ["demo", "--video"]])
def test_without_videos(here, command):
    crossdiff(*command, "nowhere").failed("nowhere: no such file or folder; name")
    if command != ["demo", "--video"]:
        crossdiff(*command, ".").failed("holds no videos", "give another folder")
    assert not list(here.iterdir())


@pytest.mark.parametrize("args", [["demo", "--video", "."], ["status", "--csv", "."]])
def test_a_folder_where_a_file_is_wanted_is_a_usage_error(here, args):
    said = crossdiff(*args)
    assert said.code == 2 and "is a directory" in said.err


@pytest.mark.parametrize(
    ("command", "args", "words"),
    [
        ("extract-2d", ["--captions", "nowhere.csv"], ["nowhere.csv: no such file"]),
        ("run", ["--captions", "nowhere.csv"], ["nowhere.csv: no such file"]),
        ("extract-2d", ["--captions", "notes.csv"], ["lacks the column video and caption", "video,caption"]),
        ("extract-2d", ["--out", "videos"], ["videos: exists and is not a run", "give a new folder"]),
        ("run", ["--out", "videos"], ["videos: exists and is not a run", "give a new folder"]),
        ("extract-2d", ["--backend", "magic"], ["no pose backend 'magic'", "mediapipe"]),
        ("run", ["--frames", "500"], ["expected 1 to 196", "500"]),
        ("run", [""], ["expected a sentence"]),
        ("run", ["123 !!"], ["expected a sentence", "123 !!"]),
        ("run", ["walk " * 600], ["600 tokens", "minilm reads at most 510", "shorten it: 'walk walk"]),
        ("run", ["--data", "nowhere"], ["nowhere: no train.txt", "crossdiff prepare"]),
        ("run", ["--device", "abacus"], ["auto", "abacus"]),
        ("run", ["--checkpoint", "nowhere"], ["nowhere: no checkpoint", "model.safetensors"]),
        ("run", ["--set", "stepps=3"], ["unknown key 'stepps'", "steps"]),
    ],
)
def test_a_mistake_is_said_before_a_run_is_made(here, command, args, words):
    grey_video(Path("videos/grey.mp4"))
    Path("notes.csv").write_text("a,b\n1,2\n")
    crossdiff(command, "videos", *args).failed(*words)
    assert not Path("runs").exists()


def test_a_video_without_a_person_leads_to_other_videos(here):
    pytest.importorskip("mediapipe", reason="the mediapipe extra is not installed")
    grey_video(Path("videos/grey.mp4"))
    said = crossdiff("extract-2d", "videos").failed("no video could be used", "videos/grey.mp4: no person found")
    assert "0 with people (0 tracks), 1 without, 0 failed" in said.out
    for command in ("filter", "pseudo-label"):
        crossdiff(command).failed("none of its videos (1) could", "crossdiff status runs/0001", "--out runs/0001")
    crossdiff("build-2d").failed("nothing filtered yet", "crossdiff filter runs/0001")
    crossdiff("finetune").failed("no clip to learn from", "crossdiff pseudo-label runs/0001")
    crossdiff("sample", "--mixture").failed("no prompt")


@pytest.mark.slow
def test_damaged_videos_are_named_and_the_others_go_on(here, shared):
    pytest.importorskip("mediapipe", reason="the mediapipe extra is not installed")
    shutil.copytree(shared / "videos/bad", "videos")
    grey_video(Path("videos/grey.mp4"))
    shutil.copy(shared / "videos/people/squats.mp4", "videos")
    said = crossdiff_process("extract-2d", "videos").failed("7 of 8 videos", "the others are done", code=3)
    assert said.err.count("WARN") == 1 and "no caption for 7 of 8 inputs" in said.err
    assert "runs/0001  (a new run" in said.out and Path("runs/0001/config.json").exists()
    reasons = {"corrupt.avi": "no person found", "empty.avi": "empty file", "text.mp4": "not a video"}
    for file, reason in reasons.items():
        assert f"{file}: {reason}" in said.err
    said = crossdiff("extract-2d", "videos/text.mp4", "--out", "r2").failed(
        "no video could be used", "re-encode", code=1
    )
    assert "1 unchanged" in crossdiff("extract-2d", "videos/text.mp4", "--out", "r2").out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["finetune", "--set", "wombats=3"], ["unknown key 'wombats'", "nearest known keys"]),
        (["finetune", "--set", "steps"], ["expected key=value"]),
        (["finetune", "--set", "steps=many"], ["'steps': got 'many'", "integer"]),
        (["finetune", "--set", "steps=0"], ["'steps': got 0", "greater than or equal to 1"]),
        (["finetune", "--set", "weights.w33=[1"], ["not valid YAML"]),
        (["finetune", "--config", "nowhere.yaml"], ["no such file", "those are: ablations-paper", "build, "]),
        (["finetune", "--config", "bad.yaml"], ["bad.yaml: unknown key 'min_fps'"]),
        (["filter", "--config", "list.yaml"], ["list.yaml: expected `key: value` lines, got a list"]),
        (["filter", "--set", "min_fps=fast"], ["'min_fps': got 'fast'"]),
        (["build-2d", "--set", "layout=nice"], ["'layout': got 'nice'", "paper"]),
        (["pseudo-label", "--set", "smooth_sigma=-1"], ["'smooth_sigma': got -1"]),
        (["train", "--config", "stage1", "--set", "model.width=17"], ["width 17"]),
        (["prepare", ".", "--set", "fps=0"], ["'fps': got 0"]),
        (["status", "--stage", "sleep"], ["no stage 'sleep'", "pseudo"]),
    ],
)
def test_a_setting_that_is_none(labelled, args, words):
    Path("bad.yaml").write_text("min_fps: 3\n")
    Path("list.yaml").write_text("- 3\n")
    before = state_of(labelled)
    crossdiff(*args).failed(*words)
    assert state_of(labelled) == before


def test_the_name_of_a_report_is_checked_before_it_is_drawn(here, monkeypatch):
    Run.create(Path("r"))
    crossdiff("report", "r", "--out", "page.htm").failed("page.htm: pages are written as .html")


def test_what_a_terminal_has_no_letters_for_is_replaced(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["crossdiff", "--version"])
    with pytest.raises(SystemExit):
        main()
    out.write("FID ↓")
    out.flush()
    assert out.buffer.getvalue().endswith(b"FID ?")


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [(None, "tiny"), ("tiny", "tiny"), ("a/b/tiny", "b-tiny"), ("../tiny", "tiny"), (".", "here-tiny"), ("..", "here")],
)
def test_every_model_has_a_name(tmp_path, monkeypatch, checkpoint, name):
    folder = tmp_path / "here" / "tiny"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    model = Path(checkpoint) if checkpoint in (".", "..") else folder
    assert model_name(checkpoint, model).endswith(name)


def _with(tiny: Path, name: str, text: bytes | None = None, cut: int | None = None) -> Path:
    folder = Path("model")
    shutil.copytree(tiny, folder)
    file = folder / name
    file.write_bytes(file.read_bytes()[:cut] if text is None else text)
    return folder


OTHER = json.dumps({"config": small_config(skeleton="kit", text_dim=384).model_dump()}).encode()


@pytest.mark.parametrize(
    ("name", "text", "cut", "words"),
    [
        ("model.safetensors", None, 3000, ["not a readable safetensors file"]),
        ("model.safetensors", b"", None, ["not a readable safetensors file"]),
        ("config.json", b"hello", None, ["not a CrossDiff configuration"]),
        ("config.json", b'{"_class_name": "UNet2DModel"}', None, ["not a CrossDiff configuration"]),
        ("config.json", b'{"config": {"wings": 2}}', None, ["not a CrossDiff configuration"]),
        ("config.json", OTHER, None, ["weights do not fit the configuration"]),
    ],
)
def test_a_checkpoint_that_is_damaged_or_another(here, tiny, name, text, cut, words):
    folder = _with(tiny, name, text, cut)
    crossdiff("sample", "a", "--checkpoint", folder, "--out", "o").failed("model", *words)
    assert not Path("o").exists()


@pytest.mark.parametrize("checkpoint", ["notes.txt", "org/model", "folder", "https://example.org/model"])
def test_a_checkpoint_that_is_none(labelled, checkpoint):
    Path("notes.txt").write_text("hello")
    Path("folder").mkdir()
    for command in (["sample", "a"], ["pseudo-label"], ["finetune"]):
        crossdiff(*command, "--checkpoint", checkpoint).failed(f"{checkpoint}: no checkpoint", "stage1-small")


def test_a_teacher_of_another_layout_or_skeleton(labelled, official, kit):
    wrong = crossdiff("pseudo-label", "--checkpoint", official)
    wrong.failed("features of layout paper", "--set layout=official")
    crossdiff("finetune", "--checkpoint", official).failed("no clip to learn from")
    crossdiff("build-2d", "--set", "layout=official").ok()
    crossdiff("pseudo-label", "--checkpoint", official).ok()
    crossdiff("finetune").failed("134", "132", "--set layout=paper")
    crossdiff("pseudo-label", "--checkpoint", kit).failed("skeleton kit", "humanml3d")


def test_a_teacher_of_another_skeleton_is_refused_before_a_run_is_made(here, kit):
    grey_video(Path("videos/grey.mp4"))
    crossdiff("run", "videos", "--checkpoint", kit).failed("skeleton kit", "humanml3d")
    assert not Path("runs").exists()


def test_statistics_of_another_layout_are_refused_with_the_way_to_the_right_ones(here, prepared):
    sizes = ["width=16", "heads=2", "feed_forward=16", "layout_2d=official"]
    args = [part for size in sizes for part in ("--set", f"model.{size}")]
    train = ["train", "--config", "stage1", "--data", prepared, "--out", "out", "--set", "steps=1", *args]
    crossdiff(*train).failed("needs 134 values", "(132,)", "prepare with --set layout_2d=official")


def test_a_run_that_is_damaged(labelled):
    kept = (labelled / "config.json").read_bytes()
    (labelled / "config.json").write_text("{")
    crossdiff("filter").failed("config.json: not valid JSON")
    (labelled / "config.json").write_bytes(kept)
    labels = sorted((labelled / "pseudo3d").iterdir())
    for label in labels:
        label.write_text("x")
    crossdiff("finetune").failed(f"{labels[0]}: not a readable npz file")
    (labelled / "ledger.sqlite").write_bytes(b"not a database, " * 20)
    for command in ("status", "pseudo-label", "filter"):
        crossdiff(command).failed("ledger.sqlite: damaged, and nothing in it can be read", "extract-2d")


@pytest.mark.parametrize(
    "args",
    [
        ["sample", "a", "--steps", "2", "--out", "file"],
        ["finetune", "--out", "file"],
        ["status", "--csv", "file/t.csv"],
    ],
)
def test_where_nothing_can_be_written(labelled, args):
    Path("file").write_text("in the way")
    crossdiff(*args).failed("file", "check the path")
    assert Path("file").read_text() == "in the way"


@pytest.mark.slow
def test_the_script_itself_ends_with_one_line(here):
    said = crossdiff_process("sample", "").failed("expected a sentence")
    assert len(said.err.splitlines()) == 1


def test_thousands_of_warnings_of_one_kind_are_not_as_many_lines(capsys):
    from crossdiff.cli import _FewOfAKind

    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_FewOfAKind())
    log = logging.Logger("many")
    log.addHandler(handler)
    for n in range(5000):
        log.warning("%s: damaged", n)
    log.warning("another")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21 and lines[0] == "0: damaged" and lines[-1] == "another"
    assert lines[19] == "19: damaged; others like it are not shown (-v shows all)"
