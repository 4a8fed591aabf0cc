"""From motion files to a model that is worth sharing: prepare, evaluators, trainings, evaluation, export."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import Field, field_validator

from crossdiff.checkpoint import EVALUATION, load_model, save_model
from crossdiff.config import Config, load_config
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.errors import ConfigError
from crossdiff.evaluation.compare import compare, write_comparison
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.evaluation.evaluate import evaluate
from crossdiff.evaluators.body_parts import PARTS, Part
from crossdiff.evaluators.evaluators import Kind
from crossdiff.evaluators.training import EvaluatorTraining, train_evaluator
from crossdiff.files import read_json, write_json
from crossdiff.training.config import TrainConfig
from crossdiff.training.launch import check_one_process
from crossdiff.training.stages import train

T = TypeVar("T")
Report = Callable[[str, object], None]
RECORD = "recipe.json"
_OTHER_FOLDERS = ("dataset", "evaluators", "evaluations", "pretrained")
_EVALUATORS: list[tuple[Kind, Part]] = [*(("t2m", part) for part in PARTS), ("tmr", "all")]


class Training(Config):
    """A training by its configuration, a shipped file or a path. name: of its folder and of the model."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    config: str


class Recipe(Config):
    """evaluator: configuration of the evaluators. training: in turn, each from the model of the one before."""

    prepare: PrepareConfig = PrepareConfig()
    evaluator: str = "evaluator-small.yaml"
    training: tuple[Training, ...] = Field(min_length=1)
    evaluation: EvaluationConfig = EvaluationConfig()

    @field_validator("training")
    @classmethod
    def _a_folder_each(cls, trainings: tuple[Training, ...]) -> tuple[Training, ...]:
        taken = set(_OTHER_FOLDERS)
        for name in (t.name for t in trainings):
            if name in taken:
                raise ValueError(f"the folder {name} is taken: give each training a name of its own, not {name}")
            taken.add(name)
        return trainings


@dataclass(frozen=True)
class RecipeSummary:
    out: Path
    models: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.out}: {', '.join(self.models)}, in float16; compare.md and recipe.json beside them"


def run_recipe(
    recipe: Recipe,
    source: Path | None,
    out: Path,
    devices: tuple[str, ...] = ("cpu",),
    report: Report = lambda *_: None,
    data: Path | None = None,
) -> RecipeSummary:
    """Make the recipe's models of the motion in `source`; stopped at any time, the same call goes on.

    source: motion that `prepare` reads without being told more. data: a dataset of `prepare`, taken instead.
    out: gets `dataset/` (of `source`), `evaluators/`, a folder per training, `evaluations/`, `pretrained/NAME` for each
    model, with its evaluation, `compare.md`, and `recipe.json`, which holds what each step took. devices: where motion
    is sampled for the evaluation; training finds a GPU by itself.
    """
    configs = {t.name: load_config(TrainConfig, t.config) for t in recipe.training}  # all of them before hours of work
    for name, cfg in configs.items():
        check_one_process(cfg, out / name)
    if next(iter(configs.values())).stage != 1:
        raise ConfigError(
            f"{recipe.training[0].name}: is of stage 2; put the training of stage 1 that it needs before it"
        )
    judge = load_config(EvaluatorTraining, recipe.evaluator)
    motion = data or source
    if motion is None or (source and data):
        raise ConfigError(
            "recipe: give either --source, motion to prepare, or --data, a dataset of `crossdiff prepare`"
        )
    steps = _Steps(out / RECORD, recipe, str(motion.resolve()), report)
    dataset, evaluators = data or out / "dataset", out / "evaluators"
    if source is not None and not (dataset / "dataset.json").is_file():
        steps("prepare", partial(prepare, source, dataset, recipe.prepare))
    for kind, part in _EVALUATORS:
        folder = evaluators / f"{kind}-{part}"
        steps(folder.name, partial(train_evaluator, judge, dataset, folder, kind, part, device=devices[0]))
    before: Path | None = None
    for training in recipe.training:
        folder = out / training.name
        steps(training.name, partial(train, configs[training.name], dataset, folder, before))
        before = folder
    results = []
    for name in configs:
        place = out / "evaluations" / name
        # Of the file that is given away, whose hash the result holds.
        exported = save_model(load_model(out / name), out / "pretrained" / name, dtype="float16")
        work = partial(evaluate, recipe.evaluation, exported, dataset, evaluators, place, devices, name)
        results.append(steps(f"evaluate {name}", work, lambda result: f"{result.seconds_per_motion:.2f} s a motion"))
        results[-1].named().save(exported / EVALUATION)
    write_comparison(compare(results), out)
    return RecipeSummary(out / "pretrained", tuple(configs))


class _Steps:
    """Runs steps one by one and keeps their wall time, over all calls together, and the machine in `recipe.json`."""

    def __init__(self, path: Path, recipe: Recipe, motion: str, report: Report) -> None:
        asked = recipe.model_dump(mode="json")
        self._path, self._report = path, report
        self._record: dict[str, Any] = {"recipe": asked, "motion": motion, "device": _device(), "seconds": {}}
        if path.is_file():
            self._record = read_json(path)
            if (self._record["recipe"], self._record.get("motion")) != (asked, motion):
                raise ConfigError(f"{path.parent}: holds the work of another recipe or motion; give another --out")

    def __call__(self, name: str, work: Callable[[], T], say: Callable[[T], str] = str) -> T:
        start = time.perf_counter()
        try:
            result = work()
        finally:
            seconds = self._record["seconds"]
            seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - start, 1)
            write_json(self._path, self._record)
        self._report(name, say(result))
        return result


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"
