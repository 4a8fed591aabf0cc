"""Measures of the actions that sampled motions show: tables, samples, judges of film, truth, held-out sentences."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic import person, write_packed

from crossdiff.annotations.actions import captions_for
from crossdiff.errors import InputError
from crossdiff.studies.actions.accuracy import Recognition
from crossdiff.studies.actions.classifier import WindowTraining
from crossdiff.studies.actions.film_judge import AnnotatedFilm, FilmJudge
from crossdiff.studies.actions.samples import LENGTH, ActionSampler, SampledActions
from crossdiff.studies.actions.sentences import retrieval, sentence_parts
from crossdiff.studies.actions.truth import HDM05_PROMPTS, read_truth
from crossdiff.types import Motion2D, Motion3D

FEW = WindowTraining(steps=60, batch_size=16, learning_rate=5e-3)


def waving(joint: int, frames: int = 40, seed: int = 0) -> np.ndarray:
    """A person, one joint of whom goes up and down; shape (frames, 22, 3)."""
    joints = np.repeat(person(1).numpy(), frames, axis=0)
    joints[:, joint, 1] += 0.4 * np.sin(np.arange(frames) * 0.7 + np.random.default_rng(seed).uniform(0, 6))
    return joints.astype(np.float32)


def test_the_table_has_fractions_of_actions_their_mean_and_the_ratio_to_the_first_set():
    found = Recognition(("real", "standard"), ("run", "sit"), 1)
    found.add("real", ["run", "run", "sit", "sit"], ["run", "run", "sit", "run"])
    found.add("standard", ["run", "sit"], ["run", "run"])
    found.add("standard", ["run"], ["sit"])
    assert found.accuracy("real") == {"run": pytest.approx(2 / 3), "sit": 1.0}
    table = found.table({"run": 3, "sit": 1}, "real clips")
    assert "| run | 3 | 0.67 | 0.50 |" in table and "| sit | 1 | 1.00 | 0.00 |" in table
    assert "| relative to real | | 1.00 | 0.30 |" in table and "| chance | | 0.50 | 0.50 |" in table


@pytest.fixture
def sampler(monkeypatch, tmp_path):
    """A sampler whose motions hold their seed, and a list of the prompts that were sampled."""
    asked = []

    def pipe(prompts, frames, seed, mixture):
        asked.extend(prompts)
        return [Motion3D(np.full((frames, 22, 3), s, dtype=np.float32), 20.0) for s in seed]

    loaded = SimpleNamespace(from_pretrained=lambda checkpoint: pipe)
    monkeypatch.setattr("crossdiff.studies.actions.samples.CrossDiffPipeline", loaded)
    return ActionSampler({"standard": "model"}, tmp_path / "samples"), asked


def test_motions_are_shared_out_among_sentences_and_sampled_once(sampler):
    source, asked = sampler
    made = source.of_actions("standard", {"run": ["a", "b", "c"], "sit": ["d"]}, 5)
    assert made.labels == ["run"] * 5 + ["sit"] * 5
    assert made.sentences == ["a", "b", "b", "c", "c", "d", "d", "d", "d", "d"]
    assert [int(m[0, 0, 0]) for m in made.motions] == [0, 0, 1, 0, 1, 0, 1, 2, 3, 4]
    assert made.motions[0].shape == (LENGTH, 22, 3) and len(asked) == 10
    source.of_actions("standard", {"sit": ["d"]}, 6)
    assert asked[10:] == ["d"]  # the sixth alone


def test_a_classifier_of_film_judges_motions_as_film_shows_them(tmp_path):
    joints = {"squat": 20, "bowl": 7}  # a wrist and an ankle
    rows, about = [], []
    for number, (label, split) in enumerate((a, s) for a in joints for s in ("train",) * 5 + ("test",)):
        flat = waving(joints[label], seed=number)[..., :2]
        name = f"penn_{label}_{number:04d}_t0"
        Motion2D(flat, np.ones(flat.shape[:2], dtype=bool), 20.0).save(tmp_path / f"{name}_0.npz")
        rows.append(SimpleNamespace(id=f"{name}_0", parent=name))
        about.append((label, split, number, "front"))
    fields = [np.array(values) for values in zip(*about, strict=True)]
    np.savez(tmp_path / "poses.npz", **dict(zip(("label", "split", "source_number", "view"), fields, strict=True)))
    run = SimpleNamespace(ledger=SimpleNamespace(rows=lambda *_, **__: rows), motion2d=tmp_path, root=tmp_path)
    film = AnnotatedFilm(run, tmp_path / "poses.npz")
    assert film.actions == ["bowl", "squat"] and len(film.motions["train"]) == 10
    judge = FilmJudge(film, 0, FEW)
    predicted, labels = judge.real()
    assert predicted == labels == ["squat", "bowl"]
    predicted, labels = judge.sampled([waving(20), waving(7)], ["squat", "bowl"])
    assert labels == ["squat"] * 4 + ["bowl"] * 4
    assert np.mean([p == own for p, own in zip(predicted, labels, strict=True)]) > 0.7
    rows.clear()
    with pytest.raises(InputError, match=r"has no motions of .*poses\.npz"):
        AnnotatedFilm(run, tmp_path / "poses.npz")


def write_index(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)


def test_truth_by_subject_is_learnt_from_the_first_two(tmp_path):
    ids = {f"u{n}": "test" for n in range(6)}
    path = write_packed(tmp_path / "raw", "_utd", ids)
    labels = ["squat", "squat", "throw", "throw", "", "sit|squat"]
    rows = [{"id": i, "subject": 1 + 2 * (n % 2), "also_in_2d": labels[n]} for n, i in enumerate(ids)]
    write_index(tmp_path / "raw/index_utd.csv", rows)
    truth = read_truth(path)
    assert truth.learn.labels == truth.others.labels == ["squat", "throw"]
    assert truth.prompts["squat"] == captions_for("squat")[0] and truth.others_name == "subjects 3-4"


def test_truth_by_action_is_learnt_from_the_training_list(tmp_path):
    splits = {"h0": "train", "h1": "test", "h2": "train", "h3": "val", "h4": "train", "other": "train", "loose": ""}
    path = write_packed(tmp_path / "raw", "_more", splits)
    actions = ["squat", "squat", "throw basketball", "throw basketball", "sneak", "sword combo", "squat"]
    write_index(tmp_path / "raw/index_more.csv", [{"id": i, "action": a} for i, a in zip(splits, actions, strict=True)])
    truth = read_truth(path)
    # Sneaking is in one part alone, and the last clip is in no list.
    assert truth.learn.labels == truth.others.labels == ["squat", "throw basketball"]
    assert truth.prompts == {a: HDM05_PROMPTS[a] for a in ("squat", "throw basketball")}
    assert truth.learn.motions[0].shape == (50, 22, 3)
    write_index(tmp_path / "raw/index_more.csv", [{"id": i, "action": "squat"} for i in splits])
    with pytest.raises(InputError, match="has 1 known actions"):
        read_truth(path)
    (tmp_path / "raw/index_more.csv").unlink()
    with pytest.raises(InputError, match=r"needs index_more\.csv beside it"):
        read_truth(path)


def test_held_out_sentences_are_none_of_the_trained_ones():
    parts = sentence_parts(["squat", "bowl", "rowing a boat"])
    assert list(parts.trained) == list(parts.held_out) == ["squat", "bowl"]
    assert all(parts.trained[a] and not set(parts.trained[a]) & set(parts.held_out[a]) for a in parts.trained)
    with pytest.raises(InputError, match="none has held-out sentences"):
        sentence_parts(["rowing a boat"])


def test_retrieval_compares_each_motion_with_one_of_every_other_action():
    """An evaluator that tells the actions, and one that confuses two of four."""
    actions = ["a", "b", "c", "d"]
    labels = [action for action in actions for _ in range(3)]
    sampled = SampledActions([waving(20, frames=30)] * 12, labels, [f"sentence {label}" for label in labels])
    unit = dict(zip(actions, np.eye(4), strict=True))
    text = np.stack([unit[label] for label in labels])

    def evaluator(motion):
        return SimpleNamespace(embed_motion=lambda clips: motion, embed_text=lambda captions: text)

    np.testing.assert_allclose(retrieval(evaluator(text * 0.9), sampled), 1)
    swapped = np.stack([unit[{"a": "b", "b": "a"}.get(label, label)] for label in labels])
    np.testing.assert_allclose(retrieval(evaluator(swapped), sampled), [0.5, 0.5, 0.5])
    with pytest.raises(InputError, match="3 actions or more"):
        retrieval(evaluator(text), SampledActions(sampled.motions[:6], labels[:6], sampled.sentences[:6]))
