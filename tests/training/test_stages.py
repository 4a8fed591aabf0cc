"""Stage I, stage II, and fine-tuning on wild clips, from folders to folders."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from synthetic import StubEncoder, small_config, small_model, write_run

from crossdiff.checkpoint import load_model, save_model
from crossdiff.config import load_config, shipped_configs
from crossdiff.data.batches import make_batch
from crossdiff.data.mocap import MocapDataset
from crossdiff.data.simulation.config import FilmConfig
from crossdiff.errors import CheckpointError, ConfigError, InputError
from crossdiff.training import stages
from crossdiff.training.config import FinetuneConfig, LossWeights, TrainConfig
from crossdiff.training.stages import finetune, train

FEW = {"steps": 2, "batch_size": 2, "log_every": 1, "warmup_steps": 0, "learning_rate": 1e-3}


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    stub = StubEncoder()
    monkeypatch.setattr("crossdiff.text.load_text_encoder", lambda name="minilm": stub)
    monkeypatch.setattr("crossdiff.training.stages.load_text_encoder", lambda name="minilm": stub)


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "run", [12, 30, 20])
    return tmp_path / "run"


@pytest.fixture
def checkpoint(tmp_path):
    return save_model(small_model(text_fingerprint="stub-weights"), tmp_path / "stage1")


def stage1(**changes) -> TrainConfig:
    return TrainConfig.model_validate(FEW | {"model": small_config(), **changes})


def test_stage_one_learns_all_directions_with_the_datas_statistics_and_the_encoders_identity(prepared, tmp_path):
    summary = train(stage1(), prepared, tmp_path / "out")
    assert set(summary.terms) == {"3d->3d", "2d->3d", "3d->2d", "2d->2d"}
    model = load_model(tmp_path / "out")
    assert model.config.text_dim == 6
    assert model.config.text_fingerprint == "stub-weights"
    np.testing.assert_array_equal(model.normalizers["3d"].mean, np.load(prepared / "Mean.npy"))
    np.testing.assert_array_equal(model.normalizers["2d"].std, np.load(prepared / "Std2d.npy"))


def test_fresh_weights_depend_on_the_seed_alone(prepared, tmp_path):
    data = MocapDataset(prepared)
    first, again, other = (stages.new_model(small_config(), data, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(v, again[k]) for k, v in first.items())
    assert any(not torch.equal(v, other[k]) for k, v in first.items())


def test_stage_two_goes_on_from_stage_one_with_3d_alone(prepared, tmp_path):
    train(stage1(), prepared, tmp_path / "one")
    summary = train(stage1(stage=2, learning_rate=1e-12), prepared, tmp_path / "two", tmp_path / "one")
    assert set(summary.terms) == {"3d->3d"}
    before, after = (load_model(tmp_path / n).state_dict() for n in ("one", "two"))
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, atol=1e-6, rtol=0)


def test_stage_two_needs_a_checkpoint(prepared, tmp_path):
    with pytest.raises(ConfigError, match="give --checkpoint FOLDER"):
        train(stage1(stage=2), prepared, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_skeleton_than_the_datas_is_refused(prepared, tmp_path):
    with pytest.raises(ConfigError, match="has the skeleton humanml3d, the model kit"):
        train(stage1(model=small_config(skeleton="kit")), prepared, tmp_path / "out")


def test_resuming_from_another_checkpoint_is_refused(prepared, checkpoint, tmp_path):
    train(stage1(stage=2), prepared, tmp_path / "out", checkpoint)
    other = save_model(small_model(seed=9, text_fingerprint="stub-weights"), tmp_path / "other")
    with pytest.raises(ConfigError, match=r"\(checkpoint\)"):
        train(stage1(stage=2), prepared, tmp_path / "out", other)


def test_fine_tuning_on_wild_clips_alone_changes_weights_but_no_statistics(run, checkpoint, tmp_path, caplog):
    summary = finetune(FinetuneConfig(**FEW), run, checkpoint, tmp_path / "out")
    assert set(summary.terms) == {"3d->3d", "2d->3d", "3d->2d", "2d->2d"}
    before, after = (load_model(f).state_dict() for f in (checkpoint, tmp_path / "out"))
    for name, value in before.items():
        if name.startswith("normalizers"):
            assert torch.equal(value, after[name])
    assert re.search(
        r"1 of \d+ clips have no caption, such as wild0, .* without text; .*--captions FILE.csv", caplog.text
    )
    assert any(not torch.equal(value, after[name]) for name, value in before.items())


def test_fine_tuning_beside_3d_data(run, checkpoint, prepared, tmp_path):
    finetune(FinetuneConfig(**FEW), run, checkpoint, tmp_path / "out", prepared)
    assert load_model(tmp_path / "out").config == load_model(checkpoint).config


def test_fine_tuning_learns_from_simulated_film_of_the_3d_data(run, checkpoint, prepared, tmp_path):
    cfg = FinetuneConfig(**FEW, film=FilmConfig(batch_size=2, min_frames=8, max_frames=16))
    summary = finetune(cfg, run, checkpoint, tmp_path / "out", prepared)
    assert {"film 2d->3d", "film 2d->2d"} <= set(summary.terms)
    with pytest.raises(ConfigError, match=r"film: .* --data"):
        finetune(cfg, run, checkpoint, tmp_path / "other")


@pytest.mark.parametrize(
    ("batch_size", "ratio", "data", "wild"),
    [
        (8, 0.5, True, 4),
        (8, 0.5, False, 8),
        (8, 0.01, True, 1),
        (8, 1.0, True, 8),
        (1, 0.5, True, 1),
        (8, 0.9, True, 7),
    ],
)
def test_how_much_of_a_batch_is_wild(run, checkpoint, prepared, tmp_path, monkeypatch, batch_size, ratio, data, wild):
    taken = []
    monkeypatch.setattr(stages, "fit", lambda model, batches, *rest, **more: taken.append(make_batch(batches, 0)))
    cfg = FinetuneConfig(**FEW | {"batch_size": batch_size}, wild_ratio=ratio)
    finetune(cfg, run, checkpoint, tmp_path / "out", prepared if data else None)
    assert int(taken[0].wild.sum()) == wild
    assert len(taken[0].wild) == batch_size


def test_new_labels_start_over_only_when_asked_for(run, checkpoint, tmp_path):
    finetune(FinetuneConfig(**FEW), run, checkpoint, tmp_path / "out")
    write_run(run, [12, 30, 20, 16])
    with pytest.raises(ConfigError, match=r"\(labels\)"):
        finetune(FinetuneConfig(**FEW), run, checkpoint, tmp_path / "out")
    assert finetune(FinetuneConfig(**FEW), run, checkpoint, tmp_path / "out", start_over=True).steps == 2


@pytest.mark.parametrize(
    ("pieces", "share", "held_out"),
    [([25], 0.1, 25), ([13, 12], 0.1, 25), ([1] * 30, 0.1, 3), ([400] + [1] * 10, 0.1, 10), ([5] * 8, 0.3, 10)],
)
def test_the_share_held_out_is_of_clips_in_whole_videos(pieces, share, held_out):
    """Where no video is small enough, all clips are used for both."""

    class Wild:
        ids = [f"v{v}_t0_{n}" for v, count in enumerate(pieces) for n in range(count)]  # noqa: RUF012

        def __len__(self) -> int:
            return len(self.ids)

    wild = Wild()
    learnt, judged = stages._parted(wild, FinetuneConfig(wild_held_out=share))
    assert len(judged) == held_out
    assert len(learnt) == (len(wild) if held_out == len(wild) else len(wild) - held_out)
    if held_out < len(wild):
        videos = [{wild.ids[i].split("_")[0] for i in rows} for rows in (learnt, judged)]
        assert not videos[0] & videos[1]


def test_features_of_another_layout_are_refused(checkpoint, tmp_path):
    write_run(tmp_path / "run", [12], dims=(134, 263))
    with pytest.raises(ConfigError, match=r"134.*132.*layout=paper"):
        finetune(FinetuneConfig(**FEW), tmp_path / "run", checkpoint, tmp_path / "out")


def test_another_text_encoder_than_the_checkpoints_is_refused(run, tmp_path):
    checkpoint = save_model(small_model(text_fingerprint="0123456789abcdef"), tmp_path / "stage1")
    with pytest.raises(InputError, match="trained with weights of hash 0123456789ab"):
        finetune(FinetuneConfig(**FEW), run, checkpoint, tmp_path / "out")


@pytest.mark.parametrize("name", ["stage1", "stage2", "stage1-small"])
def test_shipped_recipes_load(name):
    cfg = load_config(TrainConfig, name)
    assert cfg.steps > 100
    assert cfg.model.max_frames >= cfg.max_frames
    assert load_config(TrainConfig, name, ["steps=3", "model.width=64"]).model.width == 64


def test_the_shipped_fine_tuning_recipe_is_the_papers_and_counts_steps_from_frame_to_frame():
    assert load_config(FinetuneConfig, "finetune") == FinetuneConfig(velocity_weight=3)
    assert "finetune.yaml" in shipped_configs()


@pytest.mark.parametrize(
    ("cls", "wrong"), [(TrainConfig, {}), (TrainConfig, {"steps": 1, "seed": -1}), (FinetuneConfig, {"wild_ratio": 0})]
)
def test_recipes_that_make_no_sense(cls, wrong):
    with pytest.raises(ValueError, match="1 validation error"):
        cls(**wrong)


def test_a_network_of_3d_alone_trains_and_is_not_fine_tuned_on_videos(prepared, run, tmp_path):
    cfg = stage1(model=small_config(domains="3d", shared_encoder=False, cross_decoders=False, decouple_root=False))
    assert set(train(cfg, prepared, tmp_path / "out").terms) == {"3d->3d"}
    assert list(load_model(tmp_path / "out").normalizers) == ["3d"]
    with pytest.raises(CheckpointError, match="has no 2d half"):
        finetune(FinetuneConfig(**FEW), run, tmp_path / "out", tmp_path / "tuned")


def test_training_with_word_sequences(prepared, tmp_path):
    train(stage1(model=small_config(text="sequence")), prepared, tmp_path / "out")
    model = load_model(tmp_path / "out")
    before = stages.new_model(model.config, MocapDataset(prepared), 0)
    name = "network.encoders.3d.pose_layers.0.multihead_attn.in_proj_weight"
    assert not torch.equal(model.state_dict()[name], before.state_dict()[name])


def test_2d_clips_without_labels_are_mixed_in(prepared, run, tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(stages, "fit", lambda model, batches, *rest: taken.append((make_batch(batches, 0), rest[4])))
    train(stage1(batch_size=8, extra_ratio=0.25), prepared, tmp_path / "out", extra_2d=run)
    ((batch, inputs),) = taken
    assert batch.wild.tolist() == [True] * 2 + [False] * 6
    assert batch.has_3d.tolist() == [False] * 2 + [True] * 6
    assert inputs["extra"]


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"weights": {"w22": 0}}, {"stage": 2}])
def test_2d_clips_that_could_teach_nothing_are_refused(prepared, run, checkpoint, tmp_path, changes):
    with pytest.raises(ConfigError, match="--extra-2d"):
        train(stage1(**changes), prepared, tmp_path / "out", checkpoint, extra_2d=run)


@pytest.fixture
def taken(monkeypatch) -> list:
    """First batches that training was given, instead of training."""
    batches: list = []
    monkeypatch.setattr(stages, "fit", lambda model, source, *rest: batches.append(make_batch(source, 0)))
    return batches


def test_half_of_the_3d_and_all_of_the_2d(prepared, tmp_path, taken):
    train(stage1(share_3d=0.5, share_2d=1.0, batch_size=8), prepared, tmp_path / "a")
    train(stage1(share_3d=0.5, share_2d=0.5, batch_size=4), prepared, tmp_path / "b")
    assert [int(batch.has_3d.sum()) for batch in taken] == [4, 4]


def test_clips_for_2d_alone_are_left_out_where_nothing_trains_2d(prepared, tmp_path, taken):
    changes = {"share_3d": 0.5, "share_2d": 1.0, "batch_size": 4}
    flat = small_config(domains="3d")
    weights = LossWeights(w22=0, w32=0)
    train(stage1(**changes, model=flat), prepared, tmp_path / "a")
    train(stage1(**changes, weights=weights), prepared, tmp_path / "b")
    assert [int(batch.has_3d.sum()) for batch in taken] == [4, 4]


@pytest.mark.parametrize(("batch_size", "ratio", "wild"), [(4, 0.9, 3), (8, 0.25, 2), (8, 0.01, 1)])
def test_some_3d_clips_stay_in_a_batch_beside_2d_clips(prepared, run, tmp_path, taken, batch_size, ratio, wild):
    train(stage1(batch_size=batch_size, extra_ratio=ratio), prepared, tmp_path / "out", extra_2d=run)
    assert int(taken[0].wild.sum()) == wild


def test_2d_clips_teach_a_checkpoint_of_3d_alone_nothing(prepared, run, tmp_path):
    solid = save_model(small_model(domains="3d", text_fingerprint="stub-weights"), tmp_path / "solid")
    with pytest.raises(ConfigError, match="--extra-2d"):
        train(TrainConfig.model_validate(FEW), prepared, tmp_path / "out", solid, extra_2d=run)


def test_a_checkpoint_is_not_trained_into_itself(prepared, run, checkpoint):
    with pytest.raises(ConfigError, match="is the checkpoint that training starts from"):
        train(TrainConfig.model_validate(FEW), prepared, checkpoint, checkpoint)
    with pytest.raises(ConfigError, match="is the checkpoint that training starts from"):
        finetune(FinetuneConfig(**FEW), run, checkpoint, checkpoint)


def test_without_a_validation_split_the_loss_is_measured_on_training_clips(prepared, tmp_path, caplog):
    import shutil

    data = shutil.copytree(prepared, tmp_path / "data")
    (data / "val.txt").unlink()
    train(stage1(), data, tmp_path / "out")
    assert "val.txt" in caplog.text
    assert (tmp_path / "out" / "best" / "model.safetensors").is_file()
