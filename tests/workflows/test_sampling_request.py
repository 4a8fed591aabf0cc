"""What a request for motion means: its defaults, which are reported, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdiff.diffusion.config import SamplingConfig
from crossdiff.errors import InputError
from crossdiff.pipeline.run import Run
from crossdiff.workflows import sampling
from crossdiff.workflows.controls import EditFile, SampleControls
from crossdiff.workflows.sampling import SamplingRequest, read_prompts, sample_text
from crossdiff.workflows.sweep import PromptSet

SET = PromptSet(prompts=("a", "b"), switch_steps=(1, 500))
MIXTURE = SamplingConfig(mixture=True, switch_step=5)
EDITED = SampleControls(EditFile(Path("a.npy")))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompts": ("a",), "prompt_set": SET}, "got both"),
        ({"sweep": True}, "needs --prompts FILE"),
        ({"sweep": True, "prompt_set": SET, "sampling": MIXTURE}, "no --mixture, --edit"),
        ({"sweep": True, "prompt_set": SET, "controls": EDITED}, "no --mixture, --edit"),
        ({"sampling": MIXTURE, "controls": EDITED}, "expected standard sampling"),
        ({"frames": 40, "seconds": 2.0}, "--frames or --seconds, got both"),
        ({"repeats": 0}, "repeats: expected 1"),
        ({"sampling": SamplingConfig(switch_step=5)}, "belongs to mixture sampling"),
    ],
)
def test_a_request_that_contradicts_itself(wrong, said):
    with pytest.raises(InputError, match=said):
        SamplingRequest(**wrong)


def test_a_part_of_no_motion_cannot_be_kept():
    assert EditFile.of(None, None, None) is None
    with pytest.raises(InputError, match="--edit"):
        EditFile.of(None, "0:10", None)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder, in which nothing is sampled: requests are passed on to `calls`."""
    calls = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "sample_to_folder", lambda *args: calls.append(args))
    monkeypatch.setattr(sampling, "sample_sweep", lambda *args: calls.append(args))
    return calls


def defaults_of(request: SamplingRequest) -> dict[str, str]:
    taken: dict[str, str] = {}
    sample_text(request, lambda name, value, why: taken.__setitem__(name, f"{value} ({why})"))
    return taken


def test_defaults_without_a_run(here):
    taken = defaults_of(SamplingRequest(("a",), device="cpu"))
    assert taken == {
        "out": "samples (name it with --out)",
        "checkpoint": "stage2-small (the shipped model)",
        "settings": "120 frames, seed 0, 20 steps of ddim, guidance 2.0 (see --help)",
    }
    ((prompts, frames, seed, cfg, model, out, video, device, controls),) = here
    assert (prompts, frames, seed, cfg, model.name) == (["a"], 120, 0, SamplingConfig(), "stage2-small")
    assert (out, video, device, controls) == (Path("samples"), True, "cpu", SampleControls())


def test_prompts_are_captions_of_the_latest_run(here):
    run = Run.create(Path("runs/0001"))
    run.texts.mkdir(exist_ok=True)
    (run.texts / "a.txt").write_text("a person waves#a/DET person/NOUN#0.0#0.0\n")
    taken = defaults_of(SamplingRequest(sampling=MIXTURE, device="cpu"))
    assert taken["run"] == "runs/0001 (the latest run)"
    assert taken["prompts"] == "a person waves (captions of the run)"
    assert taken["checkpoint"] == "stage1-small (the shipped model)"
    assert here[0][0] == ["a person waves"] and here[0][5] == Path("runs/0001/samples")


def test_a_sweep_has_the_steps_of_its_prompts(here):
    sample_text(SamplingRequest(prompt_set=SET, sweep=True, out=Path("swept"), device="cpu"))
    assert here[0][:4] == (["a", "b"], (1, 500), 120, 0)
    assert here[0][5].name == "stage1-small"


def test_seconds_and_repeats(here):
    sample_text(SamplingRequest(("a", "b"), seconds=4.52, repeats=3, device="cpu"))
    assert here[0][:3] == (["a", "b", "a", "b", "a", "b"], 90, 0)


def test_prompts_of_a_text_file(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa person walks\r\n\n  ein Mann läuft: schnell  \n".encode())
    assert read_prompts(str(path)).prompts == ("a person walks", "ein Mann läuft: schnell")
    for content, words in ((b" \n", "holds no prompt"), (b"\xff\xfea\x00", "not a text file in UTF-8")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_prompts(str(path))
    with pytest.raises(InputError, match=r"none\.txt: no such file"):
        read_prompts(str(tmp_path / "none.txt"))
    assert len(read_prompts("paper-prompts").prompts) > 1


def test_nothing_to_sample(here):
    with pytest.raises(InputError, match="no prompt, and no run"):
        sample_text(SamplingRequest(device="cpu"))
