"""`prepare`, `train` and `finetune`, and going on after a stop."""

import json
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from command import crossdiff, crossdiff_process, start, state_of
from processes import wait_until
from synthetic import write_raw

from crossdiff.training import loop

MODEL = {
    "width": 16, "heads": 2, "feed_forward": 16, "domain_layers": 1, "shared_layers": 2, "root_layers": 1,
    "root_feed_forward": 16, "dropout": 0.0, "frames_per_token": 4,
}  # fmt: skip
STAGE1 = {"stage": 1, "steps": 4, "batch_size": 2, "max_frames": 24, "warmup_steps": 0, "model": MODEL}


@pytest.fixture
def stage1(here) -> str:
    Path("tiny.yaml").write_text(yaml.safe_dump(STAGE1))
    return "tiny.yaml"


def test_prepare_writes_a_dataset(here):
    write_raw(Path("mocap"), [60, 50, 60, 30])
    said = crossdiff("prepare", "mocap").ok().out
    assert "out = dataset  (name it with --out)" in said
    assert said.splitlines()[-1].startswith("dataset: ") and "1 shorter than 40 frames" in said
    assert {"Mean.npy", "Std2d.npy", "train.txt", "dataset.json"} <= {p.name for p in Path("dataset").iterdir()}
    assert Path("dataset/train.txt").read_text().split() == ["clip0", "Mclip0", "clip1", "Mclip1"]


def test_both_stages_and_sampling_from_them(here, stage1, prepared):
    said = crossdiff("train", "--config", stage1, "--data", prepared).ok().out
    assert "out = trained/stage1" in said and "4 steps, loss" in said.splitlines()[-1]
    tuned = ["train", "--config", "stage2.yaml", "--data", prepared, "--checkpoint", "trained/stage1"]
    small = ["--set", "batch_size=2", "--set", "precision=32-true"]
    assert "out = trained/stage2" in crossdiff(*tuned, *small).ok().out
    crossdiff("sample", "a person turns", "--checkpoint", "trained/stage2", "--steps", "2", "--no-video").ok()
    assert np.load("samples/00_a-person-turns.npy").shape == (120, 22, 3)


def test_a_distilled_model_is_sampled_in_its_own_steps(here, tiny, prepared):
    few = ["steps=2", "batch_size=2", "precision=32-true", "validate_every=0", "teacher_steps=4", "sampling_steps=2"]
    args = ["distil", "--data", prepared, *(word for one in few for word in ("--set", one))]
    said = crossdiff(*args).ok().out
    assert "checkpoint = tiny  (the shipped model)" in said and "out = trained/tiny-2step" in said
    assert "2 steps, loss" in said.splitlines()[-1]
    assert crossdiff(*args).ok().out.splitlines()[-1].startswith("nothing to do: ")
    sample = ["sample", "a person turns", "--checkpoint", "trained/tiny-2step", "--no-video"]
    assert "2 steps of ddim" in crossdiff(*sample).ok().out
    assert json.loads(Path("samples/samples.json").read_text())["options"]["num_inference_steps"] == 2
    crossdiff(*sample, "--steps", 20).failed("steps", "distilled for 2, got 20")
    crossdiff(*sample, "--mixture").failed("standard sampling alone", "mixture=true")
    crossdiff("distil", "--checkpoint", "trained/tiny-2step", "--data", prepared).failed("was distilled to 2 steps")


def test_training_that_is_done_is_left_alone_and_changed_settings_are_named(here, stage1, prepared):
    args = ["train", "--config", stage1, "--data", prepared, "--out", "t"]
    first = crossdiff(*args).ok().out
    model = Path("t/model.safetensors").read_bytes()
    assert crossdiff(*args).ok().out.splitlines()[-1] == f"nothing to do: {first.splitlines()[-1]}"
    assert Path("t/model.safetensors").read_bytes() == model
    crossdiff(*args, "--set", "learning_rate=1e-3").failed(
        "t: was started with other settings or data (learning_rate)", "--out"
    )


def test_seed_and_device_are_options(here, stage1, prepared):
    args = ["train", "--config", stage1, "--data", prepared]
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        crossdiff(*args, "--out", name, "--seed", seed, "--device", "cpu").ok()
    a, b, c = (Path(name, "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c
    crossdiff(*args, "--out", "d", "--device", "cuda:99").failed("cuda:99", "not available")
    crossdiff(*args, "--out", "d", "--device", "meta").failed("meta", "cpu, cuda and cuda:N")
    assert not Path("d").exists()


def test_finetune_with_3d_data(labelled, prepared):
    said = crossdiff("finetune", "--data", prepared, "--out", "mixed", "--set", "batch_size=2").ok().out
    assert "checkpoint = tiny  (the shipped model)" in said and "data =" not in said
    assert "mixed: 4 steps, loss" in said.splitlines()[-1]
    crossdiff("finetune", "--out", "mixed").failed("another", "batch_size", "data")
    assert "mixed: 4 steps" in crossdiff("finetune", "--out", "mixed", "--start-over").ok().out


@pytest.mark.slow
def test_finetune_killed_goes_on_to_the_same_model(labelled, tiny):
    def command(out: str) -> list[object]:
        settings = ("steps=12", "checkpoint_every=5", "batch_size=2", "max_frames=24", "log_every=10")
        return ["finetune", labelled, "--checkpoint", tiny, "--out", out, *(f"--set={s}" for s in settings)]

    process = start(7, *command("killed"), script=Path(__file__).with_name("hanging.py"))
    wait_until(Path("killed/state/step_00000005.pt").exists, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not Path("killed/model.safetensors").exists()
    assert "12 steps" in crossdiff(*command("killed")).ok().out
    assert "12 steps" in crossdiff(*command("whole")).ok().out
    assert pd.read_csv("killed/loss.csv").equals(pd.read_csv("whole/loss.csv"))
    assert Path("killed/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def test_interrupted_says_how_to_go_on(labelled, tiny, monkeypatch):
    save = loop.Trainer.save

    def save_and_interrupt(trainer):
        save(trainer)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(loop.Trainer, "save", save_and_interrupt)
    settings = ["--set", "steps=900", "--set", "checkpoint_every=5"]
    said = crossdiff("finetune", labelled, "--checkpoint", tiny, "--out", "stopped", *settings)
    signal.signal(signal.SIGINT, before)
    assert [path.name for path in Path("stopped/state").iterdir()] == ["step_00000005.pt"]
    assert said.code == 130 and said.err.splitlines()[-1].endswith("run the same command again to resume")
    assert "Traceback" not in said.err


def test_a_dataset_that_is_none_is_one_line(here, stage1, prepared):
    Path("empty").mkdir()
    crossdiff("train", "--config", stage1, "--data", "empty").failed("empty: no train.txt", "crossdiff prepare SOURCE")
    Path("empty/train.txt").write_text("clip0\n")
    crossdiff("train", "--config", stage1, "--data", "empty").failed("no usable clip in train.txt")
    before = state_of(here)
    crossdiff("train", "--config", "stage2.yaml", "--data", prepared).failed("--checkpoint FOLDER")
    crossdiff("prepare", "nowhere").failed("nowhere: no such file or folder", "give a folder")
    crossdiff("prepare", "empty").failed("holds no motions", "motions.npz")
    assert state_of(here) == before


@pytest.mark.slow
def test_devices_that_share_a_batch(here, stage1, prepared):
    args = ["train", "--config", stage1, "--data", prepared, "--out", "t"]
    crossdiff(*args, "--devices", 3).failed("batch_size 2 is not a multiple of 3 devices")
    crossdiff("finetune", "--devices", 0).failed("devices", "greater than or equal to 1")
    said = crossdiff_process(*args, "--devices", 2, "--set", "steps=2").ok().out
    assert "t: 2 steps, loss" in said.splitlines()[-1]
    assert said.count("t: 2 steps, loss") == 1
    assert "t: 4 steps, loss" in crossdiff(*args).ok().out.splitlines()[-1]  # one device goes on with it
    Path("clip.mp4").write_bytes(b"a video")
    crossdiff("run", "clip.mp4", "--set", "devices=2").failed("crossdiff finetune --devices")
    assert not Path("runs").exists()


def test_2d_clips_of_a_run_without_labels(here, labelled, stage1, prepared):
    said = crossdiff("train", "--config", stage1, "--data", prepared, "--out", "t", "--extra-2d", "runs/0001").ok()
    assert "2d->2d" in said.out
    crossdiff("train", "--config", stage1, "--data", prepared, "--out", "u", "--extra-2d", "nothing").failed(
        "nothing: no clip to learn from", "crossdiff build-2d"
    )
