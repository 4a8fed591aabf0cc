"""The commands one after the other on a real clip: exactly as typed, then again, then in one command."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command import copy_to, crossdiff, state_of

from crossdiff.files import load_npz
from crossdiff.pipeline.filter import FilterConfig
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.run import Run
from crossdiff.workflows import chain


def test_four_commands_make_motion_from_a_folder_of_videos(finished):
    folder, (extract, label, tune, sample) = finished
    run = folder / "runs/0001"
    assert "run = runs/0001  (a new run" in extract and "1 with people" in extract.splitlines()[-1]
    assert "run = runs/0001  (the latest run)" in label and "checkpoint = tiny  (the shipped model)" in label
    assert "filter: 2 of 2" in label and "build-2d: 2 motions" in label and "2 motions lifted" in label.splitlines()[-1]
    assert "keeps = nothing" in tune and "4 steps, loss" in tune.splitlines()[-1]
    assert "captions of the run" in sample and "the run's fine-tuned model" in sample
    assert "1 motion of 120 frames in runs/0001/samples" in sample.splitlines()[-1]

    both = sorted((run / "features2d").glob("*.npz"))
    assert len(both) == 2  # the man who jumps, and the woman who walks by
    for features in both:
        label3d = load_npz(run / "pseudo3d" / features.name)["features"]
        assert label3d.shape == (len(load_npz(features)["features"]), 263) and np.isfinite(label3d).all()
        assert (run / "texts" / f"{features.stem}.txt").is_file()
    assert (run / "finetuned/model.safetensors").is_file()
    (joints,) = (run / "samples").glob("*.npy")
    assert np.load(joints).shape == (120, 22, 3) and joints.with_suffix(".mp4").stat().st_size > 1000
    assert set(json.loads((run / "config.json").read_text())) == {"extract", "filter", "build", "pseudo-label"}


def test_a_second_time_nothing_changes(here, finished):
    copy_to(finished[0], here)
    before = state_of(here / "runs")
    said = [
        crossdiff(*command).ok().out.splitlines()[-1]
        for command in (
            ["extract-2d", "videos/"],
            ["filter"],
            ["build-2d"],
            ["pseudo-label"],
            ["sample", "--mixture"],
        )
    ]
    assert ["1 unchanged" in said[0], *("2 unchanged" in line for line in said[1:4])] == [True] * 4, said
    after = state_of(here / "runs")
    ledgerless = [name for name in before if "ledger" not in name]
    assert after.keys() == before.keys() and all(after[name] == before[name] for name in ledgerless)
    model = Path("runs/0001/finetuned/model.safetensors").read_bytes()
    assert crossdiff("finetune").ok().out.splitlines()[-1].startswith("nothing to do: runs/0001/finetuned: ")
    assert Path("runs/0001/finetuned/model.safetensors").read_bytes() == model


def test_status_shows_the_stages_in_order(here, finished, monkeypatch):
    monkeypatch.chdir(finished[0])
    lines = crossdiff("status").ok().out.splitlines()
    stages = [line.split()[0] for line in lines[2:-1]]
    assert list(dict.fromkeys(stages)) == ["extract", "track", "filter", "build", "pseudo"]
    assert "done" in crossdiff("status", "--stage", "pseudo").ok().out
    crossdiff("status", "--stage", "extract", "--csv", here / "t.csv").ok()
    assert "jumping_jacks" in (here / "t.csv").read_text()


def test_run_does_all_in_one_command_and_a_second_time_nothing(run):
    args = ["run", "videos", "a person squats", "--out", run, "--frames", "40", "--seed", "3", "--set", "steps=2"]
    said = crossdiff(*args).ok().out.splitlines()
    stages = ["extract-2d", "filter", "build-2d", "pseudo-label", "finetune", "sample"]
    assert [line.split(":")[0] for line in said if not line.startswith("  ")] == stages
    assert "1 unchanged" in said[1] and "2 steps" in said[-2]
    assert np.load(run / "samples/00_a-person-squats.npy").shape == (40, 22, 3)
    before = {k: v for k, v in state_of(run).items() if Path(k).suffix in {".npz", ".npy", ".mp4"}}
    crossdiff(*args).ok()
    assert before.items() <= state_of(run).items()


def test_run_keeps_what_the_run_was_lifted_and_fine_tuned_with(labelled):
    crossdiff("pseudo-label", labelled, "--set", "smooth_sigma=2").ok()
    crossdiff("finetune", labelled, "--set", "steps=3").ok()
    model = (labelled / "finetuned/model.safetensors").read_bytes()
    said = crossdiff("run", "videos", "a person squats", "--out", labelled, "--frames", "40").ok().out
    assert "0 motions lifted to 3D, 2 unchanged" in said and "3 steps" in said
    assert (labelled / "finetuned/model.safetensors").read_bytes() == model


@pytest.mark.slow
def test_demo_writes_a_page_whose_videos_are_there(run, monkeypatch):
    monkeypatch.setattr("crossdiff.workflows.demo.ChainConfig", partial(chain.ChainConfig, frames=40))
    said = crossdiff("demo", "--video", "videos/jumping_jacks.mp4", "--out", run, "--steps", "2").ok().out
    page = (run / "index.html").read_text()
    assert f"Look at {(run / 'index.html').resolve()}" in said.splitlines()[-1]
    videos = sorted(p.name for p in run.glob("*.mp4"))
    assert len(videos) == 9 and all(name in page for name in videos)
    shutil.copy("videos/jumping_jacks.mp4", "other.mp4")
    crossdiff("demo", "--video", "other.mp4", "--out", run).failed("shows jumping_jacks already", "--out")


def test_pseudo_label_takes_in_clips_that_were_added_and_keeps_the_limits_of_the_run(run):
    crossdiff("filter", "--set", "min_frames=150").ok()
    crossdiff("pseudo-label").failed("no 2D motion to lift", "too short", "crossdiff filter runs/0001 --set")
    crossdiff("filter", "--set", "min_frames=60", "--set", "min_difference=0").ok()
    assert "1 motion lifted" in crossdiff("pseudo-label").ok().out
    (kept,) = Run(run).ledger.rows("filter", "done")
    shutil.copy(run / f"keypoints/{kept.id}.npz", run / "keypoints/added_t0.npz")
    Run(run).ledger.put([Row("track", "added_t0", "done", "another", parent=kept.parent)])
    assert "1 motion lifted to 3D, 1 unchanged" in crossdiff("pseudo-label").ok().out
    assert Run(run).recorded("filter", FilterConfig).min_frames == 60


def test_what_was_deleted_is_made_again(labelled):
    for folder, command in (("keypoints", ["extract-2d", "videos", "--out", labelled]), ("motion2d", ["build-2d"])):
        gone = sorted((labelled / folder).iterdir())[0]
        gone.unlink()
        crossdiff(*command).ok()
        assert gone.is_file()
    crossdiff("pseudo-label").ok()
    assert list((labelled / "pseudo3d").iterdir())


def test_labels_of_another_build_are_not_learnt_from(labelled):
    crossdiff("build-2d", "--set", "savgol_window=5").ok()
    crossdiff("finetune").failed("no clip to learn from", f"crossdiff pseudo-label {labelled}")
    crossdiff("pseudo-label").ok()
    crossdiff("finetune").ok()
