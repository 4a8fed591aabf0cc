"""What a recipe consists of: its settings, and its trainings and distillations with the models that they start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from crossdiff.checkpoint import model_config
from crossdiff.config import Config, load_config
from crossdiff.data.prepare import PrepareConfig
from crossdiff.errors import ConfigError
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.training.config import FinetuneConfig, TrainConfig
from crossdiff.training.distil_config import DistilConfig
from crossdiff.training.launch import check_one_process
from crossdiff.training.stages import check_not_distilled
from crossdiff.workflows.defaults import resolve_checkpoint
from crossdiff.workflows.wild_labels import WildLabels, check_wild

WILD = "wild"
OTHER_FOLDERS = ("dataset", "evaluators", "evaluations", "pretrained", WILD)


class RecipeTraining(Config):
    """One training of a recipe."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name of its folder and of the model."""
    config: str
    """Its configuration, of `train`, or of `finetune` where `wild` is true: a shipped file or a path."""
    settings: tuple[str, ...] = ()
    """Settings that replace those of the configuration, as `key=value`."""
    checkpoint: str | None = None
    """Model that it starts from: an earlier training, a shipped model, or a folder. null: the training before it."""
    wild: bool = False
    """Whether it learns from the recipe's wild clips with their labels, and from the 3D dataset beside them."""
    export: bool = True
    """Whether the model is evaluated and exported; false for one that only labels."""


class RecipeDistillation(Config):
    """One model of a recipe that is distilled from another."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name of its folder and of the model."""
    teacher: str
    """Name of the training that makes its teacher."""
    config: str = "distil.yaml"
    """Its configuration: a shipped file or a path."""
    mixture: bool = False
    """Distil mixture sampling too, even if the configuration does not; needs a teacher of stage I."""

    def load(self) -> DistilConfig:
        """The configuration, with mixture sampling if either says so."""
        return load_config(DistilConfig, self.config, ["mixture=true"] if self.mixture else [])


class TrainingRecipe(Config):
    """Everything between motion files and models with their evaluation."""

    prepare: PrepareConfig = PrepareConfig()
    """How the motion is prepared."""
    evaluator: str = "evaluator-small.yaml"
    """Configuration of the evaluators: a shipped file or a path."""
    training: tuple[RecipeTraining, ...] = Field(min_length=1)
    """Trainings in order; each starts from the model of the one before, or from `checkpoint`."""
    wild: WildLabels | None = None
    """2D motion for the trainings that are `wild`; labelled when the first of them is due."""
    distil: tuple[RecipeDistillation, ...] = ()
    """Models that are distilled from these after all trainings, for sampling in a few steps."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How every model is evaluated; distilled ones take their own number of steps."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of all trainings, then of all distillations."""
        return (*(one.name for one in self.training), *(one.name for one in self.distil))

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that are evaluated and exported, those that are distilled last."""
        return (*(one.name for one in self.training if one.export), *(one.name for one in self.distil))

    @model_validator(mode="after")
    def _a_folder_each(self) -> Self:
        used = set(OTHER_FOLDERS)
        for name in self.folders:
            if name in used:
                raise ValueError(f"the folder {name} is taken: give each training its own name, not {name}")
            used.add(name)
        return self

    @model_validator(mode="after")
    def _teachers_are_trained(self) -> Self:
        for one in self.distil:
            if one.teacher not in {t.name for t in self.training}:
                raise ValueError(f"distil: {one.name} needs the name of a training as its teacher, not {one.teacher}")
        return self

    @model_validator(mode="after")
    def _labels_before_their_use(self) -> Self:
        if not self.models:
            raise ValueError("export is false for every training, so the recipe would make no model")
        first = next((n for n, t in enumerate(self.training) if t.wild), None)
        if first is None:
            return self
        name = self.training[first].name
        if self.wild is None:
            raise ValueError(
                f"{name} is wild, but the recipe has no wild files; add wild: {{files: ..., teacher: ...}}"
            )
        if self.wild.teacher in {t.name for t in self.training[first:]}:
            raise ValueError(f"the teacher {self.wild.teacher} is trained too late; put it before {name}")
        return self


@dataclass(frozen=True)
class PlannedTraining:
    """A training or distillation with its configuration and the model that it starts from."""

    name: str
    folder: Path
    config: TrainConfig | FinetuneConfig | DistilConfig
    start: Path | None


def plan_trainings(recipe: TrainingRecipe, out: Path) -> list[PlannedTraining]:
    """The trainings, then the distillations; ConfigError for one that cannot be run."""
    planned: list[PlannedTraining] = []
    for number, training in enumerate(recipe.training):
        kind: type[TrainConfig] | type[FinetuneConfig] = FinetuneConfig if training.wild else TrainConfig
        cfg = load_config(kind, training.config, list(training.settings))
        check_one_process(cfg, out / training.name)
        start = planned[-1].folder if planned else None
        if training.checkpoint is not None:
            if training.checkpoint in {t.name for t in recipe.training[number:]}:
                raise ConfigError(f"{training.name}: starts from {training.checkpoint}, which is no earlier training")
            start = model_folder(training.checkpoint, recipe, out)
        if start is None and training.wild:
            raise ConfigError(f"{training.name}: is wild, and has no model to start from; give its checkpoint")
        if start is None and isinstance(cfg, TrainConfig) and cfg.stage != 1:
            raise ConfigError(f"{training.name}: is of stage 2; put the stage-1 training that it needs before it")
        planned.append(PlannedTraining(training.name, out / training.name, cfg, start))
    if recipe.wild is not None and any(training.wild for training in recipe.training):
        check_wild(recipe.wild)
        model_folder(recipe.wild.teacher, recipe, out)
    return planned + _plan_distillations(recipe, {one.name: one for one in planned}, out)


def _plan_distillations(
    recipe: TrainingRecipe, trainings: dict[str, PlannedTraining], out: Path
) -> list[PlannedTraining]:
    planned = []
    for one in recipe.distil:
        cfg, teacher = one.load(), trainings[one.teacher]
        check_one_process(cfg, out / one.name)
        assert not isinstance(teacher.config, DistilConfig)
        if cfg.mixture and not set(cfg.objective().pairs) <= set(teacher.config.objective().pairs):
            raise ConfigError(
                f"{one.name}: mixture needs a teacher of stage 1, which {one.teacher} is not: it does not learn "
                "2D -> 2D and 2D -> 3D; name another teacher, or leave mixture out"
            )
        planned.append(PlannedTraining(one.name, out / one.name, cfg, teacher.folder))
    return planned


def model_folder(name: str, recipe: TrainingRecipe, out: Path) -> Path:
    """The folder of a training of the recipe, or of another model; ConfigError for one that was distilled.

    A distilled model can neither be trained further nor label.
    """
    if name in {t.name for t in recipe.training}:
        return out / name
    folder = resolve_checkpoint(name)
    check_not_distilled(model_config(folder), folder)
    return folder
