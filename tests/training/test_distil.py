"""Distillation: the student's start, its targets, what it learns, and sampling with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from small_runs import state_of
from synthetic import StubEncoder, small_model

from crossdiff.checkpoint import load_model, save_model
from crossdiff.config import load_config
from crossdiff.data.mocap import MocapDataset
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.few_steps import Jump, jumps, run_together
from crossdiff.diffusion.lifting import lift
from crossdiff.diffusion.sampling import sample
from crossdiff.diffusion.schedule import inference_timesteps
from crossdiff.errors import ConfigError, InputError
from crossdiff.learnt import LearntCaption, learnt_captions, write_learnt
from crossdiff.models import CrossDiffModel
from crossdiff.training.config import FinetuneConfig, TrainConfig
from crossdiff.training.distil import distil, make_student
from crossdiff.training.distil_config import DistilConfig
from crossdiff.training.stages import finetune, train

CAPTIONS = StubEncoder().encode([f"person {i} turns left" for i in range(3)])
LENGTHS, SEEDS = [24, 20, 17], [3, 4, 5]


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    stub = StubEncoder()
    monkeypatch.setattr("crossdiff.text.load_text_encoder", lambda name="minilm": stub)


@pytest.fixture
def teacher(tmp_path):
    return save_model(small_model(seed=1, text_fingerprint="stub-weights"), tmp_path / "teacher")


def config(**changes) -> DistilConfig:
    few = {
        "steps": 6, "batch_size": 4, "warmup_steps": 1, "log_every": 2, "checkpoint_every": 3, "validate_every": 3,
        "validate_batches": 2, "precision": "32-true", "sampling_steps": 2, "teacher_steps": 6, "guidance": [1, 3],
        "ema_decay": 0.9, "logger": "csv", "keep": 9, "guidance_end": 0,
    }  # fmt: skip
    return DistilConfig.model_validate({**few, **changes})


def student(cfg: DistilConfig, **changes) -> CrossDiffModel:
    return make_student(small_model(seed=1, **changes), cfg, "hash").eval()


def drawn(model: CrossDiffModel, **options) -> torch.Tensor:
    return sample(model, CAPTIONS, LENGTHS, SamplingConfig.model_validate(options), SEEDS)


def count_passes(model: CrossDiffModel, **options) -> list[int]:
    """Rows of each evaluation of the network."""
    rows: list[int] = []
    handle = model.network.register_forward_pre_hook(
        lambda network, args: rows.append(len(args[1]))  # timesteps
    )
    drawn(model, **options)
    handle.remove()
    return rows


def test_the_shipped_settings_are_the_defaults():
    assert load_config(DistilConfig, "distil") == DistilConfig(checkpoint_every=250)


@pytest.mark.parametrize("prediction", ["x", "v"])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_an_untrained_student_predicts_what_its_teacher_does_without_guidance(prediction, scale):
    teacher = small_model(seed=1, prediction=prediction)
    made = make_student(teacher, config(), "hash").eval()
    x, t, mask = (
        torch.randn(3, 24, 263),
        torch.tensor([999, 499, 20]),
        torch.arange(24) < torch.tensor([[24], [9], [17]]),
    )
    theirs = teacher.network({"3d": x}, t, CAPTIONS, mask)
    ours = made.network({"3d": x}, t, CAPTIONS, mask, scale=torch.full((3,), scale))
    for pair, wanted in theirs.items():
        torch.testing.assert_close(ours[pair], wanted)


def test_the_scale_changes_what_a_trained_student_predicts():
    made = student(config())
    torch.nn.init.normal_(made.network.scale.out.weight)
    assert (drawn(made, guidance_scale=1.0) - drawn(made, guidance_scale=2.0)).abs().max() > 1e-3


@pytest.mark.parametrize(("steps", "teacher_steps"), [(1, 20), (2, 20), (4, 20), (3, 20), (6, 6)])
def test_standard_jumps_share_the_teachers_steps(steps, teacher_steps):
    distilled = student(config(sampling_steps=steps, teacher_steps=teacher_steps)).config.distilled
    row = jumps(distilled, mixture=False)
    taken = [t for jump in row for t in jump.timesteps]
    assert len(row) == steps
    assert taken == SamplingConfig(steps=teacher_steps).timesteps
    assert [jump.until for jump in row] == [*(jump.t for jump in row[1:]), None]
    assert max(len(j.timesteps) for j in row) - min(len(j.timesteps) for j in row) <= 1


@pytest.mark.parametrize("switch_step", [0, 1, 60, 300, 500, 960, 999])
@pytest.mark.parametrize("steps", [2, 4, 7])
def test_mixture_jumps_share_the_teachers_steps(switch_step, steps):
    cfg = config(sampling_steps=steps, teacher_steps=20, mixture=True, switch_step=switch_step)
    row = jumps(student(cfg).config.distilled, mixture=True)
    whole = SamplingConfig(steps=20, mixture=True, switch_step=switch_step).timesteps
    assert len(row) <= steps
    assert [t for jump in row for t in jump.timesteps] == whole
    assert [(j.source, j.target) for j in row].count(("2d", "3d")) == 1
    lift_at = next(n for n, j in enumerate(row) if j.source != j.target)
    assert row[lift_at].t == switch_step
    assert all(j.target == "2d" for j in row[:lift_at]) and all(j.source == "3d" for j in row[lift_at + 1 :])


def test_the_papers_switch_step_leaves_three_passes_in_2d_and_one_to_3d():
    row = jumps(student(config(sampling_steps=4, teacher_steps=20, mixture=True)).config.distilled, mixture=True)
    assert [(j.source, j.target, j.t) for j in row] == [
        ("2d", "2d", 999), ("2d", "2d", 909), ("2d", "2d", 576), ("2d", "3d", 1),
    ]  # fmt: skip
    assert row[-1].timesteps == (1, 0)


@pytest.mark.parametrize("until", [499, None])
def test_a_jump_by_its_target_ends_where_the_teachers_steps_do(until):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)

    def predict(x, t, source, target):
        return (0.3 + t / 2000) * x.tanh()

    def result(steps, answer=predict):
        (found,) = run_together([steps], lambda places, asked: [answer(*one) for one in asked])
        return found

    jump = Jump("3d", "3d", (749, 699, 599), until)
    wanted = result(jump.wanted(x, x))
    assert (wanted - predict(x, 749, "3d", "3d")).abs().max() > 1e-2
    one = result(jump.taken(x), lambda *_: wanted)
    many = result(Jump("3d", "3d", (749,), 699).taken(x))
    many = result(Jump("3d", "3d", (699,), 599).taken(many))
    torch.testing.assert_close(one, result(Jump("3d", "3d", (599,), until).taken(many)))


def test_steps_that_run_together_share_passes_of_one_direction_and_end_as_they_do_alone():
    x = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    steps = [Jump("3d", "3d", (749, 699), 599), Jump("2d", "3d", (500, 449), None), Jump("3d", "3d", (299,), None)]
    shared: list[list[int]] = []

    def predict(places, asked):
        shared.append(places)
        assert len({(one.source, one.target) for one in asked}) == 1
        return [(0.3 + one.t / 2000) * one.x.tanh() for one in asked]

    together = run_together([jump.wanted(x, x) for jump in steps], predict)
    assert shared == [[0, 2], [1], [0, 1]]
    for jump, found in zip(steps, together, strict=True):
        torch.testing.assert_close(run_together([jump.wanted(x, x)], predict)[0], found)


def distance(model: CrossDiffModel, teacher: CrossDiffModel, cfg: DistilConfig, **options) -> float:
    """From the ends of the teacher's trajectories of the same noise."""
    theirs = drawn(teacher, steps=cfg.teacher_steps, guidance_end=cfg.guidance_end, **options)
    return float((drawn(model, **options) - theirs).square().mean())


@pytest.mark.parametrize("mixture", [False, True])
def test_learns_to_end_where_its_teacher_does(prepared, teacher, tmp_path, mixture):
    cfg = config(mixture=mixture, steps=60, learning_rate=3e-3, batch_size=8, validate_every=0, checkpoint_every=999)
    known = load_model(teacher)
    known.network.text.weight.data *= 8  # guidance matters
    distil(cfg, save_model(known, tmp_path / "strong"), tmp_path / "out", prepared)
    before, after = make_student(known, cfg, "hash").eval(), load_model(tmp_path / "out")
    for way in (False, True) if mixture else (False,):
        ways = {"mixture": way, "guidance_scale": 2.5}
        assert distance(after, known, cfg, **ways) < 0.7 * distance(before, known, cfg, **ways)


def test_without_data_the_captions_that_the_model_lists_are_learnt_from(teacher, tmp_path):
    with pytest.raises(ConfigError, match="lists no captions to distil on"):
        distil(config(), teacher, tmp_path / "out")
    write_learnt(teacher, [LearntCaption(text="person 1 turns left", clips=2, origin="film")])
    assert distil(config(), teacher, tmp_path / "out").steps == 6
    assert [one.origin for one in learnt_captions(tmp_path / "out")] == ["film"]
    alone = distil(config(), teacher, tmp_path / "again")  # the same batches and noise
    assert alone.terms == distil(config(), teacher, tmp_path / "out").terms


def test_the_saved_model_says_how_it_was_distilled(prepared, teacher, tmp_path):
    summary = distil(config(), teacher, tmp_path / "out", prepared)
    assert set(summary.terms) == {"3d->3d"}
    found = load_model(tmp_path / "out")
    asked = json.loads((tmp_path / "out" / "config.json").read_text())["config"]["distilled"]
    assert (asked["steps"], asked["guidance"], asked["teacher_steps"], asked["mixture"]) == (2, [1.0, 3.0], 6, False)
    assert found.config.distilled.teacher
    again = load_model(save_model(found, tmp_path / "half", "float16"))
    assert again.config == found.config
    torch.testing.assert_close(drawn(again), drawn(found), atol=0.05, rtol=0.05)
    found.save_pretrained(tmp_path / "hub")
    assert torch.equal(drawn(CrossDiffModel.from_pretrained(tmp_path / "hub")), drawn(found))


def test_a_model_that_is_not_distilled_is_saved_as_before(teacher):
    assert "distilled" not in json.loads((teacher / "config.json").read_text())["config"]


@pytest.mark.parametrize("mixture", [False, True])
def test_a_resumed_distillation_equals_an_uninterrupted_one(prepared, teacher, tmp_path, mixture):
    distil(config(mixture=mixture), teacher, tmp_path / "whole", prepared)
    distil(config(mixture=mixture), teacher, tmp_path / "parts", prepared)
    (tmp_path / "parts" / "state" / "step_00000006.pt").unlink()
    (tmp_path / "parts" / "model.safetensors").unlink()
    distil(config(mixture=mixture), teacher, tmp_path / "parts", prepared)
    whole, parts = (state_of(tmp_path / name) for name in ("whole", "parts"))
    for name, value in whole["network"].items():
        assert torch.equal(value, parts["network"][name]), name
    assert whole["history"] == parts["history"]
    assert whole["validations"] == parts["validations"]


def test_distilled_sampling_takes_one_pass_a_step_and_guidance_no_second_one():
    made = student(config(sampling_steps=4, teacher_steps=20, mixture=True))
    assert count_passes(made, guidance_scale=2.0) == [3, 3, 3, 3]
    assert count_passes(made, guidance_scale=2.0, mixture=True) == [3, 3, 3, 3]
    assert count_passes(made, steps=1) == [3]
    guided = count_passes(small_model(), steps=20, guidance_scale=2.0, guidance_end=800)
    assert guided == [6 if t >= 800 else 3 for t in inference_timesteps(20)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 20}, "distilled for 4, got 20"),
        ({"steps": 3}, "distilled for 4, got 3"),
        ({"solver": "ddpm"}, "distilled from ddim"),
        ({"mixture": True}, "for standard sampling alone"),
    ],
)
def test_settings_that_were_not_distilled_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        drawn(student(config(sampling_steps=4, teacher_steps=20)), **options)


def test_another_switch_step_is_refused():
    made = student(config(mixture=True, switch_step=300))
    assert len(count_passes(made, mixture=True)) == 2
    with pytest.raises(InputError, match="distilled for 300, got 1;"):
        drawn(made, mixture=True, switch_step=1)


def test_a_scale_outside_of_what_was_learnt_is_moved_with_a_warning(caplog):
    made = student(config())
    torch.nn.init.normal_(made.network.scale.out.weight)
    nearest = drawn(made, guidance_scale=3.0)
    assert not caplog.text
    assert torch.equal(drawn(made, guidance_scale=7.0), nearest)
    assert "guidance 7: the model was distilled for 1 to 3" in caplog.text


def test_a_distilled_model_is_not_trained_distilled_or_lifted_with(prepared, teacher, tmp_path):
    made = save_model(student(config(mixture=True), text_fingerprint="stub-weights"), tmp_path / "made")
    with pytest.raises(ConfigError, match="was distilled to 2 steps"):
        distil(config(), made, tmp_path / "out", prepared)
    with pytest.raises(ConfigError, match="was distilled to 2 steps"):
        train(TrainConfig(steps=1, stage=2), prepared, tmp_path / "out", made)
    with pytest.raises(ConfigError, match="was distilled to 2 steps"):
        finetune(FinetuneConfig(), tmp_path, made, tmp_path / "out")
    with pytest.raises(InputError, match="lift with the one"):
        lift(load_model(made), torch.zeros(1, 12, 132))
    with pytest.raises(ValidationError, match="set by `crossdiff distil`"):
        TrainConfig(steps=1, model=load_model(made).config)


def test_mixture_needs_both_halves(prepared, tmp_path):
    flat = save_model(small_model(domains="3d", text_fingerprint="stub-weights"), tmp_path / "flat")
    with pytest.raises(ConfigError, match="has no 2D half"):
        distil(config(mixture=True), flat, tmp_path / "out", prepared)
    assert distil(config(), flat, tmp_path / "out", prepared).steps == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"guidance": [3, 1]},
        {"guidance": [0, 2]},
        {"sampling_steps": 7},
        {"sampling_steps": 1, "mixture": True},
        {"film": {}},
        {"weights": {"w33": 0}},
        {"weights": {"w23": 0}, "mixture": True},
    ],
)
def test_what_cannot_be_distilled_is_refused(changes):
    with pytest.raises(ValidationError):
        config(**changes)


def test_only_captions_and_lengths_of_the_data_are_learnt_from(prepared, teacher, tmp_path):
    """Other motion under the same captions, of the same lengths, gives the same student."""
    distil(config(validate_every=0), teacher, tmp_path / "one", prepared)
    data = MocapDataset(prepared, "train")
    for clip in data.ids:
        path = prepared / "new_joint_vecs" / f"{clip}.npy"
        np.save(path, np.load(path)[::-1].copy())
    for packed in (prepared / "packed").glob("*"):
        packed.unlink()
    distil(config(validate_every=0), teacher, tmp_path / "two", prepared)
    one, two = (state_of(tmp_path / name)["network"] for name in ("one", "two"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
