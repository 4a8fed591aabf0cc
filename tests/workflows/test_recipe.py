"""The recipe at tiny size: everything it leaves behind, and that it goes on where it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from synthetic import small_model, write_raw

from crossdiff.annotations.actions import captions_for
from crossdiff.checkpoint import load_model, save_model, weights_hash
from crossdiff.config import load_config, shipped_configs
from crossdiff.errors import ConfigError, CrossDiffError, InputError
from crossdiff.evaluation.result import EvaluationResult
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.files import load_npz
from crossdiff.learnt import learnt_captions
from crossdiff.training.config import FinetuneConfig, TrainConfig
from crossdiff.training.distil import make_student
from crossdiff.training.distil_config import DistilConfig
from crossdiff.workflows.recipe import TrainingRecipe, _pin, run_recipe
from crossdiff.workflows.recipe_plan import RecipeTraining, plan_trainings
from crossdiff.workflows.wild_labels import WildLabels

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))  # the made-up people of those tests

from wild import keypoints, waving

SMALL = {"width": 16, "heads": 2, "feed_forward": 16, "domain_layers": 1, "shared_layers": 2, "root_layers": 1}
SMALL |= {"root_feed_forward": 16, "dropout": 0.0}


@pytest.mark.parametrize("name", sorted(n for n in shipped_configs() if n.startswith("recipes/")))
def test_shipped_recipes_can_be_run(name):
    recipe = load_config(TrainingRecipe, name)
    load_config(EvaluatorTraining, recipe.evaluator)
    for training in recipe.training:
        load_config(FinetuneConfig if training.wild else TrainConfig, training.config, list(training.settings))
    stages = [load_config(TrainConfig, t.config).stage for t in recipe.training if not t.wild]
    assert [one.load().mixture for one in recipe.distil] == [one.mixture for one in recipe.distil]
    assert stages == sorted(stages)
    assert stages[0] == 1


@pytest.fixture
def recipe(tmp_path):
    def write(name, value):
        (tmp_path / name).write_text(yaml.safe_dump(value))
        return str(tmp_path / name)

    phases = {n: {"steps": 1, "batch_size": 4} for n in ("movement", "matching", "contrastive")}
    sizes = {"dim": 4, "movement_width": 8, "movement_dim": 8, "motion_width": 8, "text_width": 8}
    sizes |= {"width": 8, "heads": 2, "layers": 1}
    stage = {"batch_size": 2, "validate_every": 0, "warmup_steps": 1}
    few = {**stage, "steps": 3, "sampling_steps": 2, "teacher_steps": 2}
    return TrainingRecipe.model_validate(
        {
            "evaluator": write("evaluator.yaml", {"evaluator": sizes, **phases}),
            "training": [
                {"name": "first", "config": write("1.yaml", {**stage, "steps": 2, "model": SMALL})},
                {"name": "second", "config": write("2.yaml", {**stage, "stage": 2, "steps": 1})},
            ],
            "distil": [{"name": "few", "teacher": "first", "mixture": True, "config": write("3.yaml", few)}],
            "evaluation": {
                "split": "train",
                "protocol": {"replications": 1, "batch_size": 4, "diversity_pairs": 2, "multimodality_replications": 0},
                "sampling": {"steps": 2},
            },
        }
    )


def test_leaves_models_in_float16_with_their_numbers_and_goes_on(recipe, tmp_path):
    write_raw(tmp_path / "raw", [45, 60, 52, 70, 41, 48, 55, 66])
    out, said = tmp_path / "out", []
    summary = run_recipe(recipe, tmp_path / "raw", out, on_stage=lambda step, what: said.append(step))
    names = ["t2m-all", "t2m-upper", "t2m-lower", "tmr-all", "first", "second", "few"]
    assert said == ["prepare", *names, "evaluate first", "evaluate second", "evaluate few"]
    assert summary.models == ("first", "second", "few")
    assert load_model(out / "pretrained" / "few").config.distilled.mixture
    exported, trained = out / "pretrained" / "second", out / "second"
    assert load_model(exported).config == load_model(trained).config
    assert (exported / "model.safetensors").stat().st_size < 0.7 * (trained / "model.safetensors").stat().st_size
    assert "| second |" in (out / "compare.md").read_text()
    found = EvaluationResult.load(exported / "evaluation.json")
    assert (found.model.name, found.model.folder, found.dataset.folder) == ("second", "second", "dataset")
    assert found.model.fingerprint == weights_hash(exported)
    record = json.loads((out / "recipe.json").read_text())
    assert list(record["seconds"]) == said

    made = (trained / "loss.csv").stat().st_mtime_ns
    run_recipe(recipe, tmp_path / "raw", out)
    assert (trained / "loss.csv").stat().st_mtime_ns == made
    (out / "recipe.yaml").unlink()  # as folders of before, which had only recipe.json
    other = recipe.model_copy(update={"evaluator": "evaluator.yaml"})
    with pytest.raises(ConfigError, match=r"\(recipe\.evaluator\).* --start-over"):
        run_recipe(other, tmp_path / "raw", out)
    with pytest.raises(ConfigError, match=r"\(motion\).* --start-over"):
        run_recipe(recipe, None, out, data=out / "dataset")
    assert run_recipe(recipe, tmp_path / "raw", out).models == ("first", "second", "few")


def test_starting_over_deletes_the_work_of_another_recipe_but_no_given_dataset(recipe, tmp_path):
    out = tmp_path / "out"
    _pin(recipe, tmp_path / "raw", None, out, False)
    for name in ("dataset", "first", "evaluators"):
        (out / name).mkdir()
    with pytest.raises(ConfigError, match=r"\(motion\).* --start-over"):
        _pin(recipe, out / "dataset", out / "dataset", out, False)
    _pin(recipe, out / "dataset", out / "dataset", out, True)
    assert sorted(path.name for path in out.iterdir()) == ["dataset", "recipe.yaml"]


@pytest.fixture
def with_film(recipe, tmp_path):
    """The tiny recipe, with a teacher, 2D motion of four people, and fine-tuning of both stages."""
    for number, fps in enumerate((20.0, 16.0, 25.0, 30.0)):
        path = tmp_path / "poses" / f"squat_{number}.npz"
        path.parent.mkdir(exist_ok=True)
        keypoints(waving(60, fps)).save(path)
    first = recipe.training[0]
    film = {"steps": 1, "batch_size": 2, "max_frames": 24, "warmup_steps": 1, "validate_every": 0}
    (tmp_path / "film.yaml").write_text(yaml.safe_dump(film))
    only_3d = tuple(f"{part}.{name}=0" for part in ("weights", "weights_3d") for name in ("w23", "w32", "w22"))
    tuned = {"config": str(tmp_path / "film.yaml"), "wild": True}
    training = (
        first,
        RecipeTraining(name="teacher", config=first.config, settings=("steps=1",), checkpoint="first", export=False),
        RecipeTraining(name="stage1", checkpoint="first", **tuned),
        RecipeTraining(name="stage2", settings=only_3d, **tuned),
    )
    wild = WildLabels(
        files=(tmp_path / "poses",), teacher="teacher", hold_out_captions=True, filter="filter-annotated.yaml",
        build={"min_frames": 12}, label={"max_reprojection": 100, "max_jerk": 1e9},
    )  # fmt: skip
    few = recipe.distil[0].model_copy(update={"teacher": "teacher"})
    return TrainingRecipe(**{**recipe.model_dump(), "training": training, "wild": wild, "distil": (few,)})


def test_film_is_labelled_by_the_teacher_and_both_stages_learn_from_it_before_distillation(with_film, tmp_path):
    write_raw(tmp_path / "raw", [45, 60, 52, 70, 41, 48, 55, 66])
    out, said = tmp_path / "out", []
    summary = run_recipe(with_film, tmp_path / "raw", out, on_stage=lambda step, what: said.append(step))
    labelling = ["import poses", "filter", "build-2d", "pseudo-label"]
    trained = [step for step in said if step in {*labelling, "first", "teacher", "stage1", "stage2", "few"}]
    assert trained == ["first", "teacher", *labelling, "stage1", "stage2", "few"]
    assert summary.models == ("first", "stage1", "stage2", "few") and not (out / "pretrained/teacher").exists()
    assert load_model(out / "pretrained/few").config.distilled.teacher == weights_hash(out / "teacher")
    label = next((out / "wild/pseudo3d").glob("*.npz"))
    assert str(load_npz(label, ("teacher",))["teacher"]) == weights_hash(out / "teacher")
    started = {name: yaml.safe_load((out / name / "train.yaml").read_text()) for name in ("stage1", "stage2")}
    assert started["stage1"]["inputs"]["checkpoint"] == weights_hash(out / "first")
    assert started["stage2"]["inputs"]["checkpoint"] == weights_hash(out / "stage1")
    assert started["stage2"]["config"]["weights"] == {"w33": 1, "w23": 0, "w32": 0, "w22": 0}
    assert started["stage1"]["inputs"]["data"]  # beside the 3D dataset
    known = {one.text for one in learnt_captions(out / "pretrained/stage2") if one.origin == "film"}
    assert known == set(captions_for("squat", "train"))
    made = (out / "stage2/loss.csv").stat().st_mtime_ns
    run_recipe(with_film, tmp_path / "raw", out)
    assert (out / "stage2/loss.csv").stat().st_mtime_ns == made


def test_what_a_recipe_with_film_lacks_is_said_before_any_work(with_film, tmp_path):
    values = with_film.model_dump()
    for change, said in (
        ({"wild": None}, "stage1 is wild, but the recipe has no wild files"),
        ({"wild": {**values["wild"], "teacher": "stage2"}}, "the teacher stage2 is trained too late"),
        ({"training": [{**t, "export": False} for t in values["training"]], "distil": ()}, "would make no model"),
    ):
        with pytest.raises(ValidationError, match=said):
            TrainingRecipe.model_validate({**values, **change})
    first, teacher, stage1, _ = values["training"]
    for training, error in (
        ([{**first, "checkpoint": "stage1"}, teacher, stage1], "first: starts from stage1, which is no earlier"),
        ([first, {**teacher, "checkpoint": "nowhere"}, stage1], "nowhere"),
    ):
        changed = TrainingRecipe.model_validate({**values, "training": training})
        with pytest.raises(CrossDiffError, match=error):
            run_recipe(changed, tmp_path / "raw", tmp_path / "out")
    gone = TrainingRecipe.model_validate({**values, "wild": {**values["wild"], "files": [tmp_path / "gone"]}})
    with pytest.raises(InputError, match="gone: no such file"):
        run_recipe(gone, tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_a_recipe_from_before_film_and_distillation_is_resumed(recipe, tmp_path):
    out, recipe = tmp_path / "out", recipe.model_copy(update={"distil": ()})
    _pin(recipe, tmp_path / "raw", None, out, False)
    record = yaml.safe_load((out / "recipe.yaml").read_text())
    del record["recipe"]["distil"], record["recipe"]["wild"], record["recipe"]["prepare"]["exclude"]
    record["recipe"]["training"] = [{n: t[n] for n in ("name", "config")} for t in record["recipe"]["training"]]
    (out / "recipe.yaml").write_text(yaml.safe_dump(record))
    (out / "first").mkdir()
    _pin(recipe, tmp_path / "raw", None, out, False)
    with pytest.raises(ConfigError, match="evaluator"):
        _pin(recipe.model_copy(update={"evaluator": "evaluator.yaml"}), tmp_path / "raw", None, out, False)


@pytest.mark.parametrize("names", [("same", "same"), ("dataset",), ("stage1", "pretrained")])
def test_a_training_that_would_share_its_folder_is_refused(names):
    with pytest.raises(ValidationError, match=f"the folder {names[-1]} is taken"):
        TrainingRecipe.model_validate({"training": [{"name": name, "config": "stage1.yaml"} for name in names]})


@pytest.mark.parametrize(
    ("distil", "said"),
    [
        ({"name": "few", "teacher": "third"}, "needs the name of a training"),
        ({"name": "first", "teacher": "second"}, "the folder first is taken"),
    ],
)
def test_distillations_have_their_own_names_and_a_trained_teacher(recipe, distil, said):
    with pytest.raises(ValidationError, match=said):
        TrainingRecipe.model_validate({**recipe.model_dump(), "distil": [distil]})


def test_mixture_is_distilled_from_stage_one(recipe, tmp_path):
    few = recipe.distil[0].model_copy(update={"teacher": "second"})
    with pytest.raises(ConfigError, match="few: mixture needs a teacher of stage 1"):
        run_recipe(recipe.model_copy(update={"distil": (few,)}), tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mixture_of_a_distillations_configuration_is_respected(recipe, tmp_path):
    few = recipe.distil[0]
    path = tmp_path / "mixed.yaml"
    path.write_text(Path(few.config).read_text() + "mixture: true\n")
    mixed = few.model_copy(update={"mixture": False, "config": str(path)})
    assert mixed.load().mixture
    assert not few.model_copy(update={"mixture": False}).load().mixture
    wrong = mixed.model_copy(update={"teacher": "second"})
    with pytest.raises(ConfigError, match="few: mixture needs a teacher of stage 1"):
        plan_trainings(recipe.model_copy(update={"distil": (wrong,)}), tmp_path / "out")


def test_a_distilled_model_to_start_from_is_refused_before_any_work(recipe, tmp_path):
    student = make_student(small_model(), DistilConfig(), "")
    folder = str(save_model(student, tmp_path / "student"))
    first, second = recipe.training
    for training in (
        (first.model_copy(update={"checkpoint": folder}),),
        (first, second.model_copy(update={"checkpoint": folder})),
    ):
        with pytest.raises(ConfigError, match="student: was distilled to 4 steps, which cannot be trained further"):
            plan_trainings(recipe.model_copy(update={"training": training, "distil": ()}), tmp_path / "out")


def test_mixture_is_distilled_from_fine_tuning_that_learns_2d(with_film, tmp_path):
    def plan(teacher):
        few = with_film.distil[0].model_copy(update={"teacher": teacher})
        return plan_trainings(with_film.model_copy(update={"distil": (few,)}), tmp_path / "out")

    assert [one.name for one in plan("stage1")] == ["first", "teacher", "stage1", "stage2", "few"]
    assert plan("stage1")[-1].start == tmp_path / "out/stage1"
    with pytest.raises(ConfigError, match="few: mixture needs a teacher of stage 1, which stage2 is not"):
        plan("stage2")


def test_starting_over_deletes_distilled_models(recipe, tmp_path):
    out = tmp_path / "out"
    _pin(recipe, tmp_path / "raw", None, out, False)
    (out / "few").mkdir()
    _pin(recipe.model_copy(update={"distil": ()}), tmp_path / "raw", None, out, True)
    assert not (out / "few").exists()


@pytest.mark.parametrize(("source", "data"), [(None, None), ("raw", "dataset")])
def test_motion_comes_from_one_place(recipe, tmp_path, source, data):
    with pytest.raises(ConfigError, match="either --source"):
        run_recipe(recipe, source, tmp_path / "out", data=data)


def test_a_first_training_of_stage_two_is_refused_before_any_work(recipe, tmp_path):
    swapped = recipe.model_copy(update={"training": recipe.training[::-1]})
    with pytest.raises(ConfigError, match="second: is of stage 2"):
        run_recipe(swapped, tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()
