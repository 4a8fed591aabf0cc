"""`evaluate-lift` as it is typed."""

from __future__ import annotations

import pytest
from command import crossdiff

from crossdiff.studies.lift.result import LiftResult

FEW = ["split=train", "clips=1", "bootstrap=20", "examples=0", "nearest.poses=20", "variants={}"]


def test_a_model_is_evaluated(here, prepared):
    words = [word for value in FEW for word in ("--set", value)]
    said = crossdiff("evaluate-lift", "--data", prepared, *words).ok()
    for word in ("the shipped model", "| lifted |", "| mean pose |", "evaluations/tiny-lift: result.json", "1 clips"):
        assert word.replace("1 clips", "1 clip") in said.out
    result = LiftResult.load(here / "evaluations" / "tiny-lift")
    assert (result.model.name, result.dataset.split) == ("tiny", "train")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "nowhere"], "crossdiff prepare"),
        (["nothing", "--data", "nowhere"], "no checkpoint there"),
        (["--set", "noise.strenght=2"], "noise.strength"),
        (["--device", "gpu"], "device"),
    ],
)
def test_mistakes_of_a_lifting_study_are_explained(words, message, here):
    crossdiff("evaluate-lift", *words).failed(message)
