"""The training loop: learning, exact resuming, averages, divergence."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from processes import PATIENCE, wait_until
from safetensors.torch import load_file
from small_runs import STEPS, loop_config, run, shared_runs, state_of
from synthetic import StubEncoder, small_model
from torch.testing import assert_close

from crossdiff.checkpoint import load_model
from crossdiff.errors import ConfigError, InputError
from crossdiff.training.losses import cross_losses
from crossdiff.training.optimisation import rate
from crossdiff.training.trainer import DivergedError, Trainer


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    stub = StubEncoder()
    monkeypatch.setattr("crossdiff.text.load_text_encoder", lambda name="minilm": stub)
    return stub


def same(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def assert_same_run(one: Path, other: Path) -> None:
    assert same(state_of(one), state_of(other))
    assert same(load_file(one / "model.safetensors"), load_file(other / "model.safetensors"))
    assert same(load_file(one / "best" / "model.safetensors"), load_file(other / "best" / "model.safetensors"))
    for name in ("loss.csv", "validation.csv"):
        assert (one / name).read_text() == (other / name).read_text()


@pytest.fixture(scope="module")
def unbroken(prepared, tmp_path_factory):
    """A run from start to end, with a state every three steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossdiff.text.load_text_encoder", lambda name="minilm": StubEncoder())
        out = tmp_path_factory.mktemp("unbroken")
        run(prepared, out)
    return out


def test_a_run_leaves_model_configuration_history_and_states(unbroken):
    names = {path.name for path in unbroken.iterdir()}
    assert names == {
        "model.safetensors",
        "config.json",
        "train.yaml",
        "loss.csv",
        "validation.csv",
        "best",
        "state",
        "log",
    }
    table = pd.read_csv(unbroken / "loss.csv")
    assert table["step"].tolist() == [2, 4, 6]
    assert set(table.columns) == {"step", "loss", "3d->3d", "2d->3d", "3d->2d", "2d->2d"}
    np.testing.assert_allclose(table["loss"], table.iloc[:, 2:].sum(axis=1), rtol=1e-4)
    assert sorted(p.name for p in (unbroken / "state").iterdir()) == ["step_00000003.pt", "step_00000006.pt"]
    assert not load_model(unbroken).training


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(prepared, unbroken, tmp_path, stop):
    with pytest.raises(KeyboardInterrupt):
        run(prepared, tmp_path, at=stop, error=KeyboardInterrupt)
    assert not (tmp_path / "model.safetensors").exists()
    run(prepared, tmp_path)
    assert_same_run(tmp_path, unbroken)


def start(*arguments: object) -> subprocess.Popen:
    """`small_runs.py` as a script."""
    script = Path(__file__).with_name("small_runs.py")
    path = os.pathsep.join([str(script.parent), str(script.parents[1])])
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_that_share_a_batch_learn_what_one_learns_from_it(prepared, tmp_path):
    process = start(prepared, tmp_path / "two", 2)
    shared_runs(prepared, tmp_path / "one", 1)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    first = small_model(seed=3, dropout=0.0).state_dict()
    for name in ("all", "3d"):
        one, two = tmp_path / "one" / name, tmp_path / "two" / name
        for table in ("loss.csv", "validation.csv"):
            np.testing.assert_allclose(pd.read_csv(two / table), pd.read_csv(one / table), rtol=1e-4)
        learned = load_file(two / "model.safetensors")
        for parameter, value in load_file(one / "model.safetensors").items():
            assert_close(learned[parameter], value, atol=1e-5, rtol=1e-4)
        moved = [float((value - first[parameter]).abs().max()) for parameter, value in learned.items()]
        assert sum(distance > 1e-3 for distance in moved) > 50  # by far more than they may differ


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(prepared, unbroken, tmp_path):
    process = start(prepared, tmp_path)
    wait_until((tmp_path / "state" / "step_00000002.pt").exists, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "state" / f"step_{STEPS:08d}.pt").exists()
    run(prepared, tmp_path, loop_config(checkpoint_every=1))
    assert_same_run(tmp_path, unbroken)


def test_batches_made_in_another_process_are_the_same(prepared, unbroken, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(prepared, tmp_path, at=4, error=KeyboardInterrupt)
    run(prepared, tmp_path, loop_config(workers=1))
    assert_same_run(tmp_path, unbroken)


def test_a_finished_run_is_not_trained_again(prepared, unbroken):
    before = state_of(unbroken)
    summary = run(prepared, unbroken, at=0, error=AssertionError)
    assert summary.steps == STEPS
    assert same(before, state_of(unbroken))


def test_a_longer_run_killed_before_its_end_is_ended_by_the_next_call(prepared, unbroken, tmp_path, monkeypatch):
    run(prepared, tmp_path, loop_config(steps=3))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "finish", interrupt)
        run(prepared, tmp_path)
    assert run(prepared, tmp_path).steps == STEPS
    whole, found = (load_file(folder / "model.safetensors") for folder in (unbroken, tmp_path))
    assert same(found, whole)


def test_a_model_without_states_is_not_overwritten(prepared, unbroken, tmp_path):
    shutil.copytree(unbroken, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "state")
    with pytest.raises(ConfigError, match="holds a trained model, but no state/"):
        run(prepared, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").is_file()
    assert run(prepared, tmp_path / "out", start_over=True).steps == STEPS


def test_another_configuration_is_not_mixed_in(prepared, unbroken):
    with pytest.raises(ConfigError, match=r"other settings or data \(learning_rate, seed\); give another --out"):
        run(prepared, unbroken, loop_config(learning_rate=0.5, seed=4))


def test_a_damaged_state_is_named(prepared, unbroken, tmp_path):
    from shutil import copytree

    from crossdiff.errors import CheckpointError

    copytree(unbroken, tmp_path / "copy")
    newest = tmp_path / "copy" / "state" / "step_00000006.pt"
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"step_00000006\.pt: .*delete it"):
        run(prepared, tmp_path / "copy")
    newest.unlink()
    run(prepared, tmp_path / "copy")
    assert_same_run(tmp_path / "copy", unbroken)


def test_only_the_newest_states_are_kept(prepared, tmp_path):
    run(prepared, tmp_path, loop_config(checkpoint_every=1, keep=2))
    assert sorted(p.name for p in (tmp_path / "state").iterdir()) == ["step_00000005.pt", "step_00000006.pt"]


def test_the_loss_goes_down(prepared, tmp_path):
    run(prepared, tmp_path, loop_config(steps=50, learning_rate=1e-2, log_every=1, checkpoint_every=50, seed=1))
    loss = pd.read_csv(tmp_path / "loss.csv")["loss"]
    assert loss[-10:].mean() < 0.85 * loss[:5].mean()


def test_a_nan_loss_stops_the_run_and_the_last_state_stays(prepared, unbroken, tmp_path):
    with pytest.raises(DivergedError, match=r"the loss became nan at step 4; .*--checkpoint .*last_good, a lower"):
        run(prepared, tmp_path, at=4)
    assert all(torch.isfinite(v).all() for v in load_model(tmp_path / "last_good").state_dict().values())
    state = state_of(tmp_path, 3)
    assert all(torch.isfinite(v).all() for v in state["network"].values())
    run(prepared, tmp_path)
    assert_same_run(tmp_path, unbroken)


def test_nan_gradients_of_a_finite_loss_stop_the_run_too(prepared, tmp_path, monkeypatch):
    def losses(network, model, batch, text, weights, draws, velocity_weight, anchor, by_picture):
        zero = sum((p * 0).sum() for p in model.network.parameters())
        return {("3d", "3d"): zero.abs().sqrt().expand(len(batch.lengths))}

    monkeypatch.setattr("crossdiff.training.trainer.cross_losses", losses)
    with pytest.raises(DivergedError, match=r"gradients' norm became nan at step 0"):
        run(prepared, tmp_path)


def test_the_model_that_is_left_is_the_moving_average(prepared, tmp_path):
    cfg = loop_config(checkpoint_every=1, warmup_steps=3, ema_decay=0.15)
    run(prepared, tmp_path, cfg)
    average = state_of(tmp_path, 3)["network"]  # averaging starts where the warm-up ends
    for updates, step in enumerate((4, 5, 6), start=1):
        weights = state_of(tmp_path, step)["network"]
        keep = min(0.15, (1 + updates) / (10 + updates))
        average = {k: keep * average[k] + (1 - keep) * weights[k] for k in weights}
    left = load_file(tmp_path / "model.safetensors")
    for name, value in average.items():
        assert_close(left[f"network.{name}"], value, atol=1e-6, rtol=1e-5)
    last = state_of(tmp_path)["network"]
    assert any(not torch.equal(left[f"network.{k}"], v) for k, v in last.items())


def test_a_run_shorter_than_its_warm_up_leaves_the_last_weights(prepared, tmp_path):
    run(prepared, tmp_path, loop_config(steps=2, warmup_steps=50))
    left, last = load_file(tmp_path / "model.safetensors"), state_of(tmp_path, 2)["network"]
    assert all(torch.equal(left[f"network.{k}"], v) for k, v in last.items())


def test_texts_are_encoded_once(prepared, tmp_path, encoder):
    run(prepared, tmp_path)
    assert len(encoder.encoded) == len(set(encoder.encoded)) > 8


def test_half_precision_trains_too(prepared, tmp_path):
    summary = run(prepared, tmp_path, loop_config(steps=2, precision="bf16-mixed"))
    assert 0 < summary.loss < 100
    assert all(v.dtype == torch.float32 for v in load_file(tmp_path / "model.safetensors").values())


def test_the_rate_warms_up_and_decays_to_a_hundredth():
    cfg = loop_config(steps=100, warmup_steps=10, decay="cosine")
    rates = [rate(step, cfg) for step in range(101)]
    assert rates[:10] == [(k + 1) / 10 for k in range(10)]
    assert rates[10] == 1.0
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert abs(rates[100] - 0.01) < 1e-9
    assert rate(99, loop_config(steps=100, warmup_steps=10)) == 1.0


def test_the_validation_loss_is_of_the_same_batches_and_noise_every_time(prepared, tmp_path):
    cfg = loop_config(learning_rate=1e-12, validate_every=1)
    run(prepared, tmp_path, cfg)
    table = pd.read_csv(tmp_path / "validation.csv")
    assert table["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert np.ptp(table["loss"]) < 1e-5
    np.testing.assert_allclose(table["loss"], table.iloc[:, 2:].sum(axis=1), rtol=1e-5)


def test_the_model_of_the_lowest_validation_loss_is_kept(prepared, tmp_path, monkeypatch):
    # The average is at its best after step 4 by decree.
    wanted = iter([5.0, 4.0, 3.0, 1.0, 2.0, 6.0])

    def losses(network, model, batch, text, weights, draws, velocity_weight, anchor, by_picture):
        if torch.is_grad_enabled():
            return cross_losses(network, model, batch, text, weights, draws, velocity_weight)
        loss = torch.full((len(batch.lengths),), next(wanted) / len(weights), device=batch.frames.device)
        return dict.fromkeys(weights, loss)

    monkeypatch.setattr("crossdiff.training.trainer.cross_losses", losses)
    summary = run(prepared, tmp_path, loop_config(checkpoint_every=1, validate_every=1, validate_batches=1))
    assert (summary.best.step, summary.best.loss) == (4, pytest.approx(1.0))
    assert "lowest validation loss 1.0000 at step 4" in str(summary)
    average = state_of(tmp_path, 4)["average"]
    for name, value in load_file(tmp_path / "best" / "model.safetensors").items():
        assert torch.equal(value, average[f"module.{name}"])
    assert load_model(tmp_path / "best").config == load_model(tmp_path).config


def test_without_validation_no_best_model_is_named(prepared, tmp_path):
    summary = run(prepared, tmp_path, loop_config(validate_every=0))
    assert summary.best is None
    assert not (tmp_path / "best").exists()


def test_sampled_videos_are_written_and_shown(prepared, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from crossdiff.video import VideoReader

    prompts = ["a person walks", "a person jumps"]
    run(prepared, tmp_path, loop_config(steps=4, sample_every=2, sample_prompts=prompts))
    videos = sorted((tmp_path / "samples").iterdir())
    assert [v.name for v in videos] == ["step_00000002.mp4", "step_00000004.mp4"]
    assert VideoReader(videos[0]).info.frames == 24
    board = EventAccumulator(str(tmp_path / "log"), size_guidance={"images": 9}).Reload()
    assert [event.step for event in board.Images("samples")] == [2, 4]
    assert board.Images("samples")[0].encoded_image_string[:4] == b"GIF8"
    assert {"loss", "2d->3d", "validation/loss", "learning rate"} <= set(board.Tags()["scalars"])


def test_sampling_on_the_way_changes_nothing(prepared, unbroken, tmp_path):
    run(prepared, tmp_path, loop_config(sample_every=3, sample_prompts=["walk"]))
    assert same(state_of(tmp_path)["network"], state_of(unbroken)["network"])


def test_what_is_shown_and_kept_may_change_and_a_steady_rate_may_go_on(prepared, tmp_path):
    run(prepared, tmp_path, loop_config(steps=3))
    longer = loop_config(keep=1, log_every=1, checkpoint_every=2, validate_every=0, sample_prompts=["a person runs"])
    assert run(prepared, tmp_path, longer).steps == STEPS
    with pytest.raises(ConfigError, match=r"\(steps\)"):
        run(prepared, tmp_path, loop_config(steps=3))
    run(prepared, tmp_path / "cosine", loop_config(steps=3, decay="cosine"))
    with pytest.raises(ConfigError, match=r"\(steps\)"):
        run(prepared, tmp_path / "cosine", loop_config(decay="cosine"))


def test_starting_over_leaves_nothing_of_the_run_before(prepared, tmp_path, monkeypatch):
    first = run(prepared, tmp_path, loop_config(sample_every=6, sample_prompts=["walk"]))
    old = load_file(tmp_path / "model.safetensors")
    monkeypatch.setattr(Trainer, "finish", interrupt)
    other = loop_config(seed=5, validate_every=0)
    with pytest.raises(KeyboardInterrupt):
        run(prepared, tmp_path, other, start_over=True)
    assert {p.name for p in tmp_path.iterdir()} == {"train.yaml", "loss.csv", "validation.csv", "state", "log"}
    monkeypatch.undo()
    monkeypatch.setattr("crossdiff.text.load_text_encoder", lambda name="minilm": StubEncoder())
    assert run(prepared, tmp_path, other).loss != first.loss
    assert not same(load_file(tmp_path / "model.safetensors"), old)


def test_a_model_that_training_did_not_make_is_not_overwritten(prepared, unbroken, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((unbroken / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_bytes((unbroken / "config.json").read_bytes())
    with pytest.raises(ConfigError, match="holds a model that no training made there"):
        run(prepared, tmp_path)


def test_a_resumed_run_shows_every_point_once(prepared, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    cfg = loop_config(log_every=1, checkpoint_every=2)
    with pytest.raises(KeyboardInterrupt):
        run(prepared, tmp_path, cfg, at=5, error=KeyboardInterrupt)
    run(prepared, tmp_path, cfg)
    board = EventAccumulator(str(tmp_path / "log")).Reload()
    assert [event.step for event in board.Scalars("loss")] == [1, 2, 3, 4, 5, 6]


def test_a_run_on_word_sequences_goes_on_exactly_too(prepared, tmp_path):
    for name, stop in (("whole", None), ("stopped", 4)):
        if stop:
            with pytest.raises(KeyboardInterrupt):
                run(prepared, tmp_path / name, at=stop, error=KeyboardInterrupt, text="sequence", cache=tmp_path / name)
        run(prepared, tmp_path / name, text="sequence", cache=tmp_path / name)
    assert same(state_of(tmp_path / "whole"), state_of(tmp_path / "stopped"))


def test_videos_of_clips_without_captions_are_left_out(prepared, tmp_path):
    import shutil

    data = shutil.copytree(prepared, tmp_path / "data")
    for path in (data / "texts").iterdir():
        path.write_text("")
    run(data, tmp_path / "out", loop_config(steps=2, sample_every=1))
    assert not (tmp_path / "out" / "samples").exists()
    with pytest.raises(InputError, match="prompt: expected a sentence"):
        run(data, tmp_path / "other", loop_config(steps=2, sample_every=1, sample_prompts=["  "]))


def test_processes_that_go_on_from_different_steps_are_stopped(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("lightning_fabric.Fabric.all_gather", lambda self, x: torch.stack([x, x + 1]))
    with pytest.raises(ConfigError, match=r"different steps \(\[0, 1\]\); all machines must see"):
        run(prepared, tmp_path)
