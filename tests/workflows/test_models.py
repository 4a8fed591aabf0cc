"""`crossdiff models`: sizes, and the actions in captions, grouped by their verbs."""

import json
import shutil

import pytest
from command import crossdiff

from crossdiff.checkpoint import shipped_model
from crossdiff.learnt import LearntCaption, write_learnt
from crossdiff.pipeline.run import Run
from crossdiff.workflows.learnt_actions import group_actions


def groups(*texts: str) -> dict[str, int]:
    return {one.name: one.clips for one in group_actions(LearntCaption(text=text, clips=1) for text in texts)}


@pytest.mark.parametrize(
    "forms",
    [
        ("walks", "a person walks", "someone is walking", "The man slowly walks forward"),
        ("runs", "a person runs", "someone is running", "a figure runs quickly"),
        ("raises", "a person raises both hands", "an old man is raising the left arm", "a boy raised a hand"),
        ("does jumping", "a person does jumping jacks", "someone is doing jumping jacks", "a man does jumping jacks"),
        ("does push-ups", "a person does push-ups", "she is doing push-ups", "one does a push-up"),
        ("punches", "a person punches", "someone is punching", "the fighter punches twice"),
    ],
)
def test_forms_of_a_verb_are_one_action(forms):
    name, *texts = forms
    assert groups(*texts, texts[0]) == {name: 4}


def test_different_verbs_stay_apart_and_any_text_has_a_group():
    assert groups("a person walks", "a person waves", "a person does yoga", "a person does squats", "1 2", "!?") == {
        "!?": 1, "1": 1, "does squats": 1, "does yoga": 1, "walks": 1, "waves": 1,
    }  # fmt: skip
    assert group_actions([]) == []


def test_an_action_has_its_clips_origin_and_most_frequent_caption():
    film = LearntCaption(text="someone is walking home", clips=2, origin="film")
    first, second = group_actions(
        [film, LearntCaption(text="a person walks", clips=5), LearntCaption(text="b", clips=1)]
    )
    assert (first.name, first.captions, first.clips, first.example) == ("walks", 2, 7, "a person walks")
    assert first.origins == ("capture", "film") and second.origins == ("capture",)


def test_shipped_models_are_listed_once_with_what_they_know(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = crossdiff("models").ok().out.splitlines()
    assert lines[0].startswith("stage1-small: 4.6 M parameters, 9.3 MB")
    assert lines[2].split()[0] == "walks" and "clips, motion capture" in lines[2]
    assert lines[-1] == "  the same captions as stage1-small"
    assert len(crossdiff("models", "--all").ok().out.splitlines()) > len(lines) + 50


def test_json_has_every_action(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (one,) = json.loads(crossdiff("models", "stage2-small", "--json").ok().out)
    assert one["name"] == "stage2-small" and one["parameters"] > 4e6 and one["bytes"] > 9e6
    assert one["actions"][0]["name"] == "walks" and one["actions"][0]["origins"] == ["capture", "film"]
    assert sum(action["captions"] for action in one["actions"]) == one["captions"]


def test_the_fine_tuned_model_of_the_latest_run_is_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run.create(None)
    shutil.copytree(shipped_model("text"), run.finetuned)
    write_learnt(run.finetuned, [LearntCaption(text="a person rides a bike", clips=3, origin="film")])
    said = crossdiff("models").ok().out
    assert f"\n{run.finetuned}: 4.6 M parameters" in said and "film alone" in said and "a person rides a bike" in said
    (run.finetuned / "captions.json").unlink()
    assert "holds no captions.json" in crossdiff("models", run.finetuned).ok().out


def test_what_is_no_model_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    crossdiff("models", "nothing").failed("nothing: no checkpoint there", "stage2-small")
