"""`train-evaluator`, `evaluate`, `compare` and `study ablations` as they are typed."""

from __future__ import annotations

import json
import shlex

import pytest
import torch
from command import crossdiff
from synthetic import small_model

from crossdiff.checkpoint import save_model
from crossdiff.evaluation.result import EvaluationResult

SIZES = [
    "evaluator.dim=4", "evaluator.movement_width=8", "evaluator.movement_dim=8", "evaluator.motion_width=8",
    "evaluator.text_width=8", "evaluator.width=8", "evaluator.heads=2", "evaluator.layers=1",
    "movement.steps=2", "movement.batch_size=4", "matching.steps=2", "matching.batch_size=4",
    "contrastive.steps=2", "contrastive.batch_size=4",
]  # fmt: skip
FEW = [
    "split=train", "protocol.replications=2", "protocol.batch_size=4", "protocol.diversity_pairs=2",
    "protocol.multimodality_replications=0", "sampling.steps=2",
]  # fmt: skip


def settings(values: list[str]) -> list[str]:
    return [word for value in values for word in ("--set", value)]


@pytest.fixture(scope="module")
def evaluators(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluators")
    crossdiff("train-evaluator", "--data", str(prepared), "--out", str(folder), *settings(SIZES)).ok()
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        save_model(small_model(seed, text_encoder="minilm", text_dim=384), folder / f"m{seed}")
    return folder


def evaluate(model, prepared, evaluators, out, *more: str):
    return crossdiff(
        "evaluate", str(model), "--data", str(prepared), "--evaluators", str(evaluators), "--out", str(out),
        *settings(FEW), *more,
    )  # fmt: skip


def test_every_part_and_kind_is_trained(evaluators):
    assert sorted(p.name for p in evaluators.iterdir()) == ["t2m-all", "t2m-lower", "t2m-upper", "tmr-all"]


def test_a_model_is_evaluated_and_compared_with_another(evaluators, models, prepared, tmp_path):
    said = evaluate(models / "m0", prepared, evaluators, tmp_path / "a", "--name", "first").ok()
    for word in ("| Real |", "| first |", "FID-U", "distinct", "classic", "minilm", "R-precision"):
        assert word in said.out
    assert json.loads((tmp_path / "a" / "result.json").read_text())["model"]["name"] == "first"
    evaluate(models / "m1", prepared, evaluators, tmp_path / "b", "--name", "second").ok()
    both = crossdiff("compare", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")).ok()
    assert "| first |" in both.out
    assert "| second |" in both.out
    assert both.out.count("| Real |") == said.out.count("| Real |")
    assert (tmp_path / "c" / "compare.html").is_file()


def test_the_command_that_a_refusal_names_works(evaluators, models, prepared, tmp_path):
    few = ["protocol.replications=1", "protocol.multimodality_replications=0", "sampling.steps=2", "split=train"]
    typed = ["evaluate", models / "m0", "--data", prepared, "--evaluators", evaluators, "--out", tmp_path / "my out"]
    said = crossdiff(*typed, *settings(few)).failed("batch_size=32", "diversity_pairs=300", "this works: crossdiff")
    assert not (tmp_path / "my out").exists()
    named = shlex.split(said.err.strip().partition("this works: ")[2])
    crossdiff(*named[1:]).ok()


def test_numbers_of_different_evaluators_are_not_mixed(evaluators, models, prepared, tmp_path):
    evaluate(models / "m0", prepared, evaluators, tmp_path / "a").ok()
    result = EvaluationResult.load(tmp_path / "a")
    other = result.evaluators[0].model_copy(update={"fingerprint": "another"})
    result.model_copy(update={"evaluators": (other, *result.evaluators[1:])}).save(tmp_path / "b" / "result.json")
    said = crossdiff("compare", str(tmp_path / "a"), str(tmp_path / "b"))
    assert said.code == 1
    assert "evaluator" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "--data", "DATA", "--evaluators", "nowhere"], "crossdiff train-evaluator"),
        (["evaluate", "--data", "nowhere", "--evaluators", "GOOD"], "crossdiff prepare"),
        (["evaluate", "--data", "DATA", "--set", "protocol.batchsize=3"], "protocol.batch_size"),
        (["train-evaluator", "--data", "DATA", "--part", "left"], "all, upper, lower"),
        (["train-evaluator", "--data", "DATA", "--kind", "clip"], "t2m or tmr"),
        (["train-evaluator", "--data", "DATA", "--words", "our_vab_words.pkl", "--part", "all"], "numpy.savez"),
        (["compare", "nowhere"], "no such file"),
        (["study", "ablations", "--data", "DATA", "--only", "other"], "expected some of"),
        (["study", "ablations", "--data", "DATA"], "crossdiff train-evaluator"),
    ],
)
def test_mistakes_are_explained(words, message, prepared, evaluators, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = {"DATA": prepared, "GOOD": evaluators}
    said = crossdiff(*[paths.get(w, w) for w in words])
    assert said.code == 1
    assert message in said.err


def test_a_released_evaluator_is_converted(tmp_path):
    import numpy as np

    from crossdiff.evaluators.networks import MovementEncoder, RecurrentEncoder, RecurrentTextEncoder

    states = {
        "movement_encoder": MovementEncoder(156, 6, 5).state_dict(),
        "text_encoder": RecurrentTextEncoder(6, 15, 8, 7).state_dict(),
        "motion_encoder": RecurrentEncoder(5, 9, 9, 7).state_dict(),
    }
    torch.save(states, tmp_path / "finest.tar")
    np.save(tmp_path / "mean.npy", np.zeros(263))
    np.save(tmp_path / "std.npy", np.ones(263))
    np.savez(tmp_path / "words.npz", words=np.array(["walk"]), vectors=np.ones((1, 6)))
    words = ["convert-evaluator", str(tmp_path / "finest.tar"), "--stats", str(tmp_path)]
    words += ["--words", str(tmp_path / "words.npz"), "--out", str(tmp_path / "out")]
    assert "t2m evaluator of upper" in crossdiff(*words).ok().out
    assert (tmp_path / "out" / "t2m-upper" / "evaluator.safetensors").is_file()
    assert "holds an evaluator" in crossdiff(*words).err
