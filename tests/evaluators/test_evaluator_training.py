"""Training evaluators: losses, fair negatives, resume, and the command."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_evaluators import SIZES
from torch.testing import assert_close

from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import ConfigError
from crossdiff.evaluators.clips import Clips
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.evaluators.evaluators import fingerprint, load_evaluator
from crossdiff.evaluators.losses import info_nce, matching_loss
from crossdiff.evaluators.phases import Phase
from crossdiff.evaluators.training import train_evaluator
from crossdiff.progress import watch


def config(steps: int = 4, **changes) -> EvaluatorTraining:
    phases = {name: {"steps": steps, "batch_size": 4} for name in ("movement", "matching", "contrastive")}
    return EvaluatorTraining.model_validate({"evaluator": SIZES, **phases, "validate_every": 2, **changes})


def test_pairs_that_share_a_caption_are_no_negatives():
    text, motion = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    near = (text - motion).square().sum(-1).mean()
    everything = torch.ones(4, 4, dtype=torch.bool)
    assert_close(matching_loss(text, motion, everything, 1, 10.0), near)
    nothing = torch.eye(4, dtype=torch.bool)
    far = (text - motion.roll(1, 0)).norm(dim=-1)
    assert_close(matching_loss(text, motion, nothing, 1, 10.0), near + (10 - far).clamp(min=0).square().mean())
    # Text 2 meets motion 1 when the motions are shifted by one place.
    one = nothing.clone()
    one[2, 1] = one[1, 2] = True
    fair = torch.tensor([True, True, False, True])
    assert_close(matching_loss(text, motion, one, 1, 10.0), near + (10 - far).clamp(min=0).square()[fair].mean())


def test_info_nce_leaves_filtered_negatives_out():
    unit = torch.nn.functional.normalize(torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    own = torch.eye(5, dtype=torch.bool)
    plain = info_nce(*unit, own, 0.1)
    logits = unit[0] @ unit[1].T / 0.1
    expected = -(logits.log_softmax(1).diagonal().mean() + logits.log_softmax(0).diagonal().mean()) / 2
    assert_close(plain, expected)
    assert info_nce(*unit, torch.ones(5, 5, dtype=torch.bool), 0.1).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("kind", "part"), [("t2m", "lower"), ("tmr", "all")])
def test_a_killed_training_goes_on_to_the_same_weights(kind, part, prepared, tmp_path, monkeypatch):
    whole = train_evaluator(config(), prepared, tmp_path / "whole", kind, part)
    advance = Phase._advance

    def killed(self, train):
        if self.step == 3 and self.name != "movement":
            raise KeyboardInterrupt
        return advance(self, train)

    monkeypatch.setattr(Phase, "_advance", killed)
    with pytest.raises(KeyboardInterrupt):
        train_evaluator(config(), prepared, tmp_path / "part", kind, part)
    monkeypatch.undo()
    assert train_evaluator(config(), prepared, tmp_path / "part", kind, part).loss == whole.loss
    assert fingerprint(tmp_path / "part") == fingerprint(tmp_path / "whole")
    assert load_evaluator(tmp_path / "part").config.trained_on == MocapDataset(prepared).fingerprint()


def test_the_progress_of_every_step_has_its_loss(prepared, tmp_path):
    events = []
    with watch(events.append):
        train_evaluator(config(4, validate_every=2), prepared, tmp_path, "tmr", "all")
    notes = [e.note for e in events if e.task.startswith("train") and e.done > 0 and not e.ended]
    assert len(notes) == 4 and all(note.startswith("loss ") for note in notes)
    assert ["validation" in note for note in notes] == [False, True, True, True]


def test_other_settings_are_refused_or_start_over(prepared, tmp_path):
    train_evaluator(config(), prepared, tmp_path, "t2m", "all")
    with pytest.raises(ConfigError, match="other settings"):
        train_evaluator(config(margin=5), prepared, tmp_path, "t2m", "all")
    other = train_evaluator(config(margin=5), prepared, tmp_path, "t2m", "all", start_over=True)
    assert other.step > 0 and "margin: 5.0" in (tmp_path / "training.yaml").read_text()


def test_a_damaged_record_is_refused(prepared, tmp_path):
    (tmp_path / "training.yaml").write_text("seed: [")
    with pytest.raises(ConfigError, match="other settings"):
        train_evaluator(config(), prepared, tmp_path, "tmr", "all")


def test_words_of_a_file_are_kept_with_the_evaluator(prepared, tmp_path):
    (tmp_path / "glove.txt").write_text("person 1 2 3\nturn 4 5 6\nleft 7 8 9\nright 1 0 1\nzebra 3 3 3\n")
    train_evaluator(config(2), prepared, tmp_path / "out", "t2m", "all", tmp_path / "glove.txt")
    evaluator = load_evaluator(tmp_path / "out")
    assert evaluator.words.startswith("glove.txt (")
    assert evaluator.vectors("left").tolist() == [7, 8, 9]
    assert evaluator.vectors("zebra") is None
    with pytest.raises(ConfigError, match="--kind t2m"):
        train_evaluator(config(2), prepared, tmp_path / "tmr", "tmr", "all", tmp_path / "glove.txt")


def test_batches_are_whole_units_of_the_clips(prepared):
    clips = Clips(MocapDataset(prepared))
    chosen, captions, features = clips.draw(6, np.random.default_rng(0))
    assert len({*chosen.tolist()}) == len(captions) == 6
    assert all(len(f) % 4 == 0 and len(f) <= clips.data.lengths[i] for f, i in zip(features, chosen, strict=True))
    assert clips.windows(5, np.random.default_rng(0)).shape == (5, 40, 263)
