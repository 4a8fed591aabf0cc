"""From motion files to models that are worth sharing: prepare, evaluators, trainings, evaluation, export."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import torch
import yaml
from pydantic import Field, model_validator

from crossdiff.checkpoint import EVALUATION, load_model, save_model
from crossdiff.config import Config, load_config
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.errors import ConfigError
from crossdiff.evaluation.compare import compare, write_comparison
from crossdiff.evaluation.config import EvaluationConfig
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
from crossdiff.training.launch import check_one_process
from crossdiff.training.stages import train
from crossdiff.workflows.callbacks import StageCallback, silent
from crossdiff.workflows.evaluators import choose_evaluators

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

T = TypeVar("T")
RECORD, TIMES = "recipe.yaml", "recipe.json"
_OTHER_FOLDERS = ("dataset", "evaluators", "evaluations", "pretrained")


class RecipeTraining(Config):
    """One training of a recipe."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name of its folder and of the model."""
    config: str
    """Its configuration: a shipped file or a path."""


class RecipeDistillation(Config):
    """One model of a recipe that is distilled from another."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name of its folder and of the model."""
    teacher: str
    """Name of the training that makes its teacher."""
    config: str = "distil.yaml"
    """Its configuration: a shipped file or a path."""
    mixture: bool = False
    """Distil mixture sampling too; needs a teacher of stage I."""

    def settings(self) -> DistilConfig:
        """The configuration with `mixture` as it is here."""
        return load_config(DistilConfig, self.config, [f"mixture={str(self.mixture).lower()}"])


class TrainingRecipe(Config):
    """Everything between motion files and models with their evaluation."""

    prepare: PrepareConfig = PrepareConfig()
    """How the motion is prepared."""
    evaluator: str = "evaluator-small.yaml"
    """Configuration of the evaluators: a shipped file or a path."""
    training: tuple[RecipeTraining, ...] = Field(min_length=1)
    """Trainings in order; each starts from the model of the one before."""
    distil: tuple[RecipeDistillation, ...] = ()
    """Models that are distilled from these, for sampling in a few steps."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How every model is evaluated; distilled ones take their own number of steps."""

    @property
    def names(self) -> tuple[str, ...]:
        """The models, those that are distilled last."""
        return tuple(one.name for one in (*self.training, *self.distil))

    @model_validator(mode="after")
    def _a_folder_each(self) -> Self:
        used = set(_OTHER_FOLDERS)
        for name in self.names:
            if name in used:
                raise ValueError(f"the folder {name} is taken: give each training its own name, not {name}")
            used.add(name)
        return self

    @model_validator(mode="after")
    def _teachers_are_trained(self) -> Self:
        for one in self.distil:
            if one.teacher not in (t.name for t in self.training):
                raise ValueError(f"distil: {one.name} needs the name of a training as its teacher, not {one.teacher}")
        return self


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
    out: receives `dataset/` (from `source`), `evaluators/`, one folder per training, `evaluations/`, `pretrained/NAME`
    for each model with its evaluation, `compare.md`, and `recipe.json` with the time that each step took. devices:
    where motion is sampled for the evaluation; training uses the GPU if there is one. start_over: delete what another
    recipe or motion left in `out`, instead of raising ConfigError.
    """
    configs = {t.name: load_config(TrainConfig, t.config) for t in recipe.training}  # all of them, before hours of work
    for name, cfg in configs.items():
        check_one_process(cfg, out / name)
    distillations = {one.name: one.settings() for one in recipe.distil}
    for one in recipe.distil:
        check_one_process(distillations[one.name], out / one.name)
        if one.mixture and configs[one.teacher].stage != 1:
            raise ConfigError(f"{one.name}: mixture needs a teacher of stage 1, {one.teacher} is of stage 2")
    if next(iter(configs.values())).stage != 1:
        raise ConfigError(f"{recipe.training[0].name}: is of stage 2; put the stage-1 training that it needs before it")
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
    before: Path | None = None
    for training in recipe.training:
        folder = out / training.name
        steps(training.name, partial(train, configs[training.name], dataset, folder, before))
        before = folder
    for one in recipe.distil:
        work = partial(distil, distillations[one.name], dataset, out / one.teacher, out / one.name)
        steps(one.name, work)
    results = []
    for name in recipe.names:
        folder = out / "evaluations" / name
        # The exported file is evaluated: its hash is in the result.
        exported = save_model(load_model(out / name), out / "pretrained" / name, dtype="float16")
        write_learnt(exported, learnt_captions(out / name), out / name)
        measure = partial(evaluate, recipe.evaluation, exported, dataset, evaluators, folder, devices, name)
        results.append(steps(f"evaluate {name}", measure, lambda result: f"{result.seconds_per_motion:.2f} s a motion"))
        results[-1].named().save(exported / EVALUATION)
    write_comparison(compare(results), out)
    return RecipeSummary(out / "pretrained", recipe.names)


def _pin(recipe: TrainingRecipe, motion: Path, data: Path | None, out: Path, start_over: bool) -> None:
    """Refuse a folder that was started with another recipe or other motion, or start over in it."""
    path = out / RECORD
    if not path.is_file() and (old := read_record(out / TIMES)):  # older folders have only this file
        write_text(path, yaml.safe_dump({name: old.get(name) for name in ("recipe", "motion")}, sort_keys=False))
    before = read_record(path).get("recipe") or {}
    trainings = {t["name"] for kind in ("training", "distil") for t in before.get(kind) or ()} | {*recipe.names}
    outputs = {*_OTHER_FOLDERS, *trainings, "compare.md", TIMES}
    if data is not None and data.resolve() == (out / "dataset").resolve():
        outputs.remove("dataset")
    record = {"recipe": recipe.model_dump(mode="json"), "motion": str(motion.resolve())}
    pin(path, record, outputs, start_over)


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
