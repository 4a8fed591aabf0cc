"""From motion files to models that are worth sharing: prepare, evaluators, trainings, evaluation, export."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import yaml
from pydantic import ValidationError

from crossdiff.checkpoint import EVALUATION, load_model, save_model
from crossdiff.config import load_config
from crossdiff.data.prepare import prepare
from crossdiff.errors import ConfigError
from crossdiff.evaluation.compare import compare, write_comparison
from crossdiff.evaluation.evaluate import evaluate
from crossdiff.evaluators.config import EvaluatorTraining
from crossdiff.evaluators.training import train_evaluator
from crossdiff.files import read_json, read_record, write_json, write_text
from crossdiff.learnt import learnt_captions, write_learnt
from crossdiff.moved import moved_names
from crossdiff.record import pin
from crossdiff.training.config import TrainConfig
from crossdiff.training.distil import distil
from crossdiff.training.distil_config import DistilConfig
from crossdiff.training.stages import finetune, train
from crossdiff.workflows.callbacks import StageCallback, silent
from crossdiff.workflows.evaluators import choose_evaluators
from crossdiff.workflows.recipe_plan import OTHER_FOLDERS, WILD, TrainingRecipe, model_folder, plan_trainings
from crossdiff.workflows.wild_labels import label_wild

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

T = TypeVar("T")
RECORD, TIMES = "recipe.yaml", "recipe.json"


@dataclass(frozen=True)
class RecipeSummary:
    """The models that a recipe made."""

    out: Path
    models: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.out}: {', '.join(self.models)}, in float16; compare.md and recipe.json beside them"


def run_recipe(
    recipe: TrainingRecipe,
    source: Path | None,
    out: Path,
    devices: tuple[str, ...] = ("cpu",),
    on_stage: StageCallback = silent,
    data: Path | None = None,
    start_over: bool = False,
) -> RecipeSummary:
    """Make the recipe's models from the motion in `source`. A stopped run is resumed by the same call.

    source: motion that `prepare` reads without further options. data: a dataset of `prepare`, used instead of it.
    out: receives `dataset/` (from `source`), `evaluators/`, one folder per training and distillation, `wild/` (a run
    with the labels of the recipe's 2D files), `evaluations/`, `pretrained/NAME` for each model with its evaluation,
    `compare.md`, and `recipe.json` with the time that each step took.
    devices: where motion is sampled for the evaluation, and the first of them lifts wild clips; training uses the GPU
    if there is one.
    start_over: delete what another recipe or motion left in `out`, instead of raising ConfigError.
    """
    trainings = plan_trainings(recipe, out)  # everything that can be wrong is said before hours of work
    evaluator_cfg = load_config(EvaluatorTraining, recipe.evaluator)
    motion = data or source
    if motion is None or (source and data):
        raise ConfigError(
            "recipe: give either --source, motion to prepare, or --data, a dataset of `crossdiff prepare`"
        )
    _pin(recipe, motion, data, out, start_over)
    steps = _TimedSteps(out / TIMES, recipe, str(motion.resolve()), on_stage)
    dataset, evaluators = data or out / "dataset", out / "evaluators"
    if source is not None and not (dataset / "dataset.json").is_file():
        steps("prepare", partial(prepare, source, dataset, recipe.prepare)).raise_failures()
    for kind, part in choose_evaluators():
        folder = evaluators / f"{kind}-{part}"
        steps(folder.name, partial(train_evaluator, evaluator_cfg, dataset, folder, kind, part, device=devices[0]))
    labelled: Path | None = None
    for one in trainings:
        if isinstance(one.config, TrainConfig):
            steps(one.name, partial(train, one.config, dataset, one.folder, one.start))
            continue
        assert one.start is not None
        if isinstance(one.config, DistilConfig):
            steps(one.name, partial(distil, one.config, one.start, one.folder))
            continue
        if labelled is None:
            assert recipe.wild is not None
            labelled = label_wild(
                recipe.wild, out / WILD, model_folder(recipe.wild.teacher, recipe, out), devices[0], steps
            )
        steps(one.name, partial(finetune, one.config, labelled, one.start, one.folder, dataset))
    results = []
    for name in recipe.models:
        folder = out / "evaluations" / name
        # The exported file is evaluated: its hash is in the result.
        exported = save_model(load_model(out / name), out / "pretrained" / name, dtype="float16")
        write_learnt(exported, learnt_captions(out / name), out / name)
        measure = partial(evaluate, recipe.evaluation, exported, dataset, evaluators, folder, devices, name)
        results.append(steps(f"evaluate {name}", measure, lambda result: f"{result.seconds_per_motion:.2f} s a motion"))
        results[-1].named().save(exported / EVALUATION)
    write_comparison(compare(results), out)
    return RecipeSummary(out / "pretrained", recipe.models)


def _pin(recipe: TrainingRecipe, motion: Path, data: Path | None, out: Path, start_over: bool) -> None:
    """Refuse a folder that was started with another recipe or other motion, or start over in it."""
    path = out / RECORD
    if not path.is_file() and (old := read_record(out / TIMES)):  # older folders have only this file
        write_text(path, yaml.safe_dump({name: old.get(name) for name in ("recipe", "motion")}, sort_keys=False))
    _add_defaults(path)
    before = read_record(path).get("recipe") or {}
    trainings = {one["name"] for kind in ("training", "distil") for one in before.get(kind) or ()}
    outputs = {*OTHER_FOLDERS, *trainings, *recipe.folders, "compare.md", TIMES}
    if data is not None and data.resolve() == (out / "dataset").resolve():
        outputs.remove("dataset")
    record = {"recipe": recipe.model_dump(mode="json"), "motion": str(motion.resolve())}
    pin(path, record, outputs, start_over)


def _add_defaults(path: Path) -> None:
    """Give the record of a recipe the settings that recipes have had since it was written."""
    record = read_record(path)
    try:
        recipe = TrainingRecipe.model_validate(record.get("recipe"))
    except ValidationError:
        return
    write_text(path, yaml.safe_dump({**record, "recipe": recipe.model_dump(mode="json")}, sort_keys=False))


class _TimedSteps:
    """Runs steps and records the machine and each step's wall time, summed over all calls, in `recipe.json`."""

    def __init__(self, path: Path, recipe: TrainingRecipe, motion: str, on_stage: StageCallback) -> None:
        self._path, self._on_stage = path, on_stage
        inputs = {"recipe": recipe.model_dump(mode="json"), "motion": motion}
        self._record: dict[str, Any] = read_json(path) if path.is_file() else {**inputs, "device": _device()}
        self._record.setdefault("seconds", {})

    def __call__(self, name: str, work: Callable[[], T], describe: Callable[[T], str] = str) -> T:
        start = time.perf_counter()
        try:
            result = work()
        finally:
            seconds = self._record["seconds"]
            seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - start, 1)
            write_json(self._path, self._record)
        self._on_stage(name, describe(result))
        return result


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"
