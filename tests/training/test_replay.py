"""Motions that a model samples of what it learnt, and fine-tuning beside them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import StubEncoder, small_model, write_run

from crossdiff.checkpoint import load_model, save_model
from crossdiff.data.mocap import MocapDataset
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.errors import ConfigError, InputError
from crossdiff.learnt import LearntCaption, learnt_captions, write_learnt
from crossdiff.training.config import FinetuneConfig
from crossdiff.training.replay import draw_captions, draw_learnt, protection, replay_dataset, sample_replay
from crossdiff.training.retention import measure_retention
from crossdiff.training.stages import finetune

KNOWN = ["a person walks", "a person runs to the left", "someone waves"]


@pytest.fixture(autouse=True)
def encoder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stub = StubEncoder()
    for place in ("crossdiff.text", "crossdiff.training.stages", "crossdiff.diffusion.pipeline"):
        monkeypatch.setattr(f"{place}.load_text_encoder", lambda name="minilm": stub)


@pytest.fixture
def checkpoint(tmp_path):
    folder = save_model(small_model(text_fingerprint="stub-weights"), tmp_path / "before")
    write_learnt(folder, [LearntCaption(text=text, clips=3) for text in KNOWN])
    return folder


@pytest.fixture
def filmed(tmp_path):
    """A model that learnt two sentences of film, with a tenth of its clips."""
    folder = save_model(small_model(text_fingerprint="stub-weights"), tmp_path / "filmed")
    of_film = [
        LearntCaption(text=text, clips=n, origin="film") for text, n in (("a person dives", 2), ("one bowls", 1))
    ]
    write_learnt(folder, [*(LearntCaption(text=text, clips=9) for text in KNOWN), *of_film])
    return folder


def test_every_caption_of_captured_motion_is_sampled_before_any_is_again(checkpoint):
    replay = sample_replay(load_model(checkpoint), checkpoint, 5)
    assert sorted(replay.captions[:3]) == sorted(KNOWN) and set(replay.captions) == set(KNOWN)
    assert [motion.shape for motion in replay.motions] == [(24, 22, 3)] * 5  # the small model's longest


def test_captions_of_film_are_replayed_by_their_share_of_the_clips(filmed):
    replay = sample_replay(load_model(filmed), filmed, 20)
    counts = {text: replay.captions.count(text) for text in (*KNOWN, "a person dives", "one bowls")}
    assert counts == {**dict.fromkeys(KNOWN, 6), "a person dives": 1, "one bowls": 1}
    assert replay.captions[:2] != ["a person dives", "one bowls"]  # mixed with the others
    assert protection(20, filmed, None)[0] == "3D motion: 20 samples of filmed, 2 of them of what it learnt from film"


@pytest.mark.parametrize(("clips", "count", "of_film"), [((1000, 1), 8, 1), ((1, 1000), 8, 7), ((0, 5), 8, 8)])
def test_no_origin_is_left_out_of_the_replay(clips, count, of_film):
    origins = zip(("capture", "film"), clips, strict=True)
    known = [LearntCaption(text=origin, clips=n, origin=origin) for origin, n in origins if n]
    drawn = draw_learnt(known, count, seed=0)
    assert len(drawn) == count and drawn.count("film") == of_film


def test_a_second_fine_tuning_keeps_what_is_of_film(filmed, tmp_path):
    write_run(tmp_path / "run", [12, 20])
    settings = FinetuneConfig(steps=1, batch_size=2, log_every=1, warmup_steps=0, replay=3, precision="32-true")
    finetune(settings, tmp_path / "run", filmed, tmp_path / "after")
    listed = {one.text: (one.origin, one.clips) for one in learnt_captions(tmp_path / "after")}
    assert listed["a person dives"] == ("film", 2) and listed["someone waves"] == ("capture", 9)


def test_a_finished_fine_tuning_samples_and_prepares_nothing(checkpoint, tmp_path, monkeypatch):
    write_run(tmp_path / "run", [12, 20])
    settings = FinetuneConfig(steps=2, batch_size=2, log_every=1, warmup_steps=0, replay=3, precision="32-true")
    first = finetune(settings, tmp_path / "run", checkpoint, tmp_path / "after")
    weights = (tmp_path / "after/model.safetensors").read_bytes()
    with monkeypatch.context() as patched:
        for name in ("sample_replay", "replay_dataset"):
            patched.setattr(f"crossdiff.training.stages.{name}", lambda *_: pytest.fail("not needed"))
        again = finetune(settings, tmp_path / "run", checkpoint, tmp_path / "after")
    assert str(again) == str(first) and (tmp_path / "after/model.safetensors").read_bytes() == weights
    longer = settings.model_copy(update={"steps": 3})
    assert finetune(longer, tmp_path / "run", checkpoint, tmp_path / "after").steps == 3
    with pytest.raises(ConfigError, match=r"other settings or data \(learning_rate\)"):
        finetune(longer.model_copy(update={"learning_rate": 1.0}), tmp_path / "run", checkpoint, tmp_path / "after")


def test_the_motions_are_sampled_once(checkpoint, monkeypatch):
    model = load_model(checkpoint)
    first = sample_replay(model, checkpoint, 3)
    monkeypatch.setattr("crossdiff.training.replay._sample", lambda *_: pytest.fail("sampled again"))
    again = sample_replay(model, checkpoint, 3)
    for one, other in zip(first.motions, again.motions, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_damaged_cache_is_sampled_again(checkpoint, tmp_path):
    model = load_model(checkpoint)
    first = sample_replay(model, checkpoint, 3)
    (path,) = (tmp_path / "cache/crossdiff/replay").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    again = sample_replay(model, checkpoint, 3)
    np.testing.assert_allclose(again.motions[1], first.motions[1], atol=1e-5)


def test_a_model_without_captions_has_no_replay(tmp_path):
    folder = save_model(small_model(text_fingerprint="stub-weights"), tmp_path / "before")
    assert sample_replay(load_model(folder), folder, 3) is None
    value, why = protection(256, folder, None)
    assert value == "nothing" and "--data DATASET" in why


def test_what_protects_the_model_is_said(checkpoint, tmp_path):
    assert protection(256, checkpoint, None)[0] == "3D motion: 256 samples of before"
    assert protection(256, checkpoint, tmp_path / "set")[0].endswith("set")
    assert protection(0, checkpoint, None)[0] == "nothing"


def test_fewer_than_one_motion_is_refused(checkpoint):
    with pytest.raises(InputError, match="1 motion or more, got 0"):
        sample_replay(load_model(checkpoint), checkpoint, 0)


def test_the_motions_become_a_dataset_with_mirrored_captions(checkpoint):
    model = load_model(checkpoint)
    with replay_dataset(sample_replay(model, checkpoint, 6), model) as folder:
        data = MocapDataset(folder, "train")
        texts = {caption.text for captions in data.captions for caption in captions}
    assert "a person runs to the right" in texts and set(KNOWN) & texts
    assert not folder.exists()


def test_captions_are_drawn_by_the_seed():
    assert draw_captions(KNOWN, 3, seed=1) == draw_captions(KNOWN, 3, seed=1)
    assert sorted(draw_captions(KNOWN, 7, seed=1)[:3]) == sorted(KNOWN)


def test_replay_keeps_what_the_model_does_with_known_captions(checkpoint, tmp_path):
    """Fails where fine-tuning ignores the replayed motions."""
    write_run(tmp_path / "run", [12, 20, 20])
    cfg = {"steps": 60, "batch_size": 8, "learning_rate": 1e-2, "warmup_steps": 0, "ema_decay": 0.5, "log_every": 60}
    moved = {}
    for replay in (6, 0):
        settings = FinetuneConfig(**cfg, replay=replay, precision="32-true", validate_every=0, place_in=0)
        finetune(settings, tmp_path / "run", checkpoint, tmp_path / f"after{replay}")
        moved[replay] = _distance(checkpoint, tmp_path / f"after{replay}")
    assert moved[6] < 0.75 * moved[0]


@torch.no_grad()
def _distance(before, after) -> float:
    """Mean squared difference of what two models predict of noised motion of the known captions, normalised."""
    old, new = (load_model(folder) for folder in (before, after))
    texts = [one.text for one in learnt_captions(before)]
    text = CrossDiffPipeline(old)._embedded(texts)
    noise = torch.randn(len(texts), 24, old.config.layout("3d").dim, generator=torch.Generator().manual_seed(0))
    t = torch.full((len(texts),), 900)
    one, other = (model.network({"3d": noise}, t, text, None, targets=("3d",))["3d", "3d"] for model in (old, new))
    return float((one - other).square().mean())


def test_the_new_model_lists_what_both_know_and_how_known_prompts_moved(checkpoint, tmp_path):
    write_run(tmp_path / "run", [12, 20])
    settings = FinetuneConfig(steps=2, batch_size=2, log_every=1, warmup_steps=0, replay=3, precision="32-true")
    summary = finetune(settings, tmp_path / "run", checkpoint, tmp_path / "after")
    listed = {one.text: one.origin for one in learnt_captions(tmp_path / "after")}
    assert listed["someone waves"] == "capture" and listed["wild caption 1"] == "film"
    assert "16 known prompts: " in str(summary)
    record = tmp_path / "after/kept.json"
    kept = measure_retention(checkpoint, tmp_path / "after", record)
    assert kept.travel > 0 and str(kept) in str(summary)
    assert measure_retention(checkpoint, checkpoint, tmp_path / "same.json").travel == pytest.approx(1)
    torch.testing.assert_close(kept.gesture, measure_retention(checkpoint, tmp_path / "after", record).gesture)


def test_nothing_is_sampled_where_a_batch_has_no_room_for_it(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("crossdiff.training.replay._sample", lambda *_: pytest.fail("sampled"))
    monkeypatch.setattr("crossdiff.training.stages.measure_retention", lambda *_: None)
    write_run(tmp_path / "run", [12, 20])
    settings = FinetuneConfig(steps=1, batch_size=2, wild_ratio=1.0, log_every=1, precision="32-true")
    assert finetune(settings, tmp_path / "run", checkpoint, tmp_path / "after").steps == 1
