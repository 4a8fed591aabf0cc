"""The recipe at tiny size: everything it leaves behind, and that it goes on where it was."""

from __future__ import annotations

import json

import pytest
import yaml
from pydantic import ValidationError
from synthetic import write_raw

from crossdiff.checkpoint import load_model, weights_hash
from crossdiff.config import load_config, shipped_configs
from crossdiff.errors import ConfigError
from crossdiff.evaluation.result import EvaluationResult
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.training.config import TrainConfig
from crossdiff.workflows.recipe import TrainingRecipe, _pin, run_recipe

SMALL = {"width": 16, "heads": 2, "feed_forward": 16, "domain_layers": 1, "shared_layers": 2, "root_layers": 1}
SMALL |= {"root_feed_forward": 16, "dropout": 0.0}


@pytest.mark.parametrize("name", sorted(n for n in shipped_configs() if n.startswith("recipes/")))
def test_shipped_recipes_can_be_run(name):
    recipe = load_config(TrainingRecipe, name)
    load_config(EvaluatorTraining, recipe.evaluator)
    stages = [load_config(TrainConfig, t.config).stage for t in recipe.training]
    assert [one.settings().mixture for one in recipe.distil] == [one.mixture for one in recipe.distil]
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


@pytest.mark.parametrize(("source", "data"), [(None, None), ("raw", "dataset")])
def test_motion_comes_from_one_place(recipe, tmp_path, source, data):
    with pytest.raises(ConfigError, match="either --source"):
        run_recipe(recipe, source, tmp_path / "out", data=data)


def test_a_first_training_of_stage_two_is_refused_before_any_work(recipe, tmp_path):
    swapped = recipe.model_copy(update={"training": recipe.training[::-1]})
    with pytest.raises(ConfigError, match="second: is of stage 2"):
        run_recipe(swapped, tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()
