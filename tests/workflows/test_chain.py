"""The chain of all stages: what it passes on, and the failures it collects."""

from unittest.mock import Mock

import pytest

from crossdiff.errors import InputError, PartialFailure
from crossdiff.pipeline import labelling
from crossdiff.pipeline.run import Run
from crossdiff.workflows import chain


def test_lifting_and_sampling_are_done_on_the_device(tmp_path, monkeypatch):
    stages = {name: Mock() for name in ("filter_clips", "build_2d", "pseudo_label")}
    for name, stage in stages.items():
        monkeypatch.setattr(labelling, name, stage)
    stages |= {name: Mock() for name in ("extract_2d", "finetune", "sample_to_folder")}
    stages["finetune"].return_value.out = tmp_path
    for name in ("extract_2d", "finetune", "sample_to_folder"):
        monkeypatch.setattr(chain, name, stages[name])
    chain.run_chain([], Run(tmp_path), tmp_path, ["a"], chain.ChainConfig(device="cuda:1"))
    assert stages["pseudo_label"].call_args.args[-1] == "cuda:1"
    assert stages["sample_to_folder"].call_args.kwargs["device"] == "cuda:1"


def test_without_prompts_and_captions_nothing_is_sampled(tmp_path, monkeypatch):
    for name in ("filter_clips", "build_2d", "pseudo_label"):
        monkeypatch.setattr(labelling, name, Mock())
    for name in ("extract_2d", "finetune", "sample_to_folder"):
        monkeypatch.setattr(chain, name, Mock())
    on_stage = Mock()
    result = chain.run_chain([], Run(tmp_path), tmp_path, [], chain.ChainConfig(), on_stage)
    assert result.samples is None and not chain.sample_to_folder.called
    stage, said = on_stage.call_args.args
    assert stage == "sample" and "the run has no captions; give a prompt" in said


def test_an_error_that_stops_the_chain_lists_the_earlier_failures(tmp_path, monkeypatch):
    extracted = Mock()
    extracted.raise_failures.side_effect = PartialFailure("a.mp4: no person in it")
    monkeypatch.setattr(chain, "extract_2d", Mock(return_value=extracted))
    monkeypatch.setattr(labelling, "filter_clips", Mock(side_effect=InputError("nothing to filter")))
    with pytest.raises(InputError, match=r"(?s)nothing to filter.*extract-2d: a\.mp4: no person in it"):
        chain.run_chain([], Run(tmp_path), tmp_path, ["a"], chain.ChainConfig())


def test_stages_run_as_they_are_asked_for(tmp_path, monkeypatch):
    stages = {name: Mock(return_value=name) for name in ("filter_clips", "build_2d", "pseudo_label")}
    for name, stage in stages.items():
        monkeypatch.setattr(labelling, name, stage)
    made = labelling.label_stages(Run(tmp_path), tmp_path)
    assert next(made) == ("filter", "filter_clips")
    assert not stages["build_2d"].called
    assert list(made) == [("build-2d", "build_2d"), ("pseudo-label", "pseudo_label")]
