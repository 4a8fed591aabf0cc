"""The held-out-action study: learning the 3D motion of unseen actions from noisy 2D motion (section 3.5).

Families of actions are removed from the 3D training data. A model trained without them labels their noisy 2D
projections and is fine-tuned on these. It is evaluated on their true 3D motion before and after, and compared with a
model trained on all 3D motion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
from pydantic import Field, model_validator

from crossdiff.config import Config
from crossdiff.data.mocap import MocapDataset
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.errors import ConfigError
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.evaluation.evaluate import REAL, evaluate
from crossdiff.evaluation.plan import check_protocol
from crossdiff.evaluation.protocol import KINDS, find_evaluators, read_replication, replication_path
from crossdiff.evaluation.real import RealClips
from crossdiff.evaluation.result import EvaluationResult, Value
from crossdiff.evaluators.evaluators import fingerprint, load_evaluator
from crossdiff.pipeline.build import BuildConfig
from crossdiff.pipeline.filter import FilterConfig
from crossdiff.pipeline.importing.imports import ImportedClip, import_keypoints
from crossdiff.pipeline.labelling import label_stages
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig
from crossdiff.pipeline.run import Run
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.detector import DetectorNoise, observe
from crossdiff.studies.held_out.actions import ActionClassifier
from crossdiff.studies.held_out.families import KNOWN, NEW, Family, FamilySplit, family_of, split_by_family
from crossdiff.studies.held_out.pictures import draw_prompts
from crossdiff.studies.held_out.report import Scores, write_held_out
from crossdiff.training.config import FinetuneConfig, TrainConfig
from crossdiff.training.launch import check_one_process
from crossdiff.training.stages import finetune, train

Model = Literal["before", "after", "full"]
Actions = Literal["new", "known"]
_OTHER = "other"


class HeldOutStudy(Config):
    """Actions whose 3D motion is held out, and how a model learns them from 2D."""

    families: tuple[Family, ...] = Field(min_length=1)
    """Actions that are held out."""
    train: TrainConfig
    """Training of the model before fine-tuning, without these actions, and of the full one, with them."""
    noise: DetectorNoise = DetectorNoise.model_validate("mild")
    """Errors of the simulated detector that sees the held-out clips."""
    filter: FilterConfig = FilterConfig()
    """Settings of `filter` for them."""
    build: BuildConfig = BuildConfig()
    """Settings of `build-2d`."""
    pseudo_label: PseudoLabelConfig = PseudoLabelConfig()
    """Settings of `pseudo-label`."""
    finetune: FinetuneConfig = FinetuneConfig()
    """Fine-tuning on the held-out clips."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Settings of the evaluation."""
    samplings: dict[str, SamplingConfig] = Field(min_length=1)
    """Ways to sample, by name; each is measured."""
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    """Seeds; everything is repeated for each."""
    prompts: tuple[str, ...] = ()
    """Prompts whose motions are drawn side by side at the end."""

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        if self.build.layout != self.train.model.layout_2d:
            raise ValueError(f"build.layout {self.build.layout} is not the model's {self.train.model.layout_2d}")
        return self


@dataclass(frozen=True)
class HeldOutSummary:
    out: Path
    seeds: int

    def __str__(self) -> str:
        return f"{self.out}: held-out.md, .html and .png of {self.seeds} seeds"


def run_held_out(
    study: HeldOutStudy,
    data: Path,
    evaluators: Path,
    out: Path,
    devices: tuple[str, ...] = ("cpu",),
) -> HeldOutSummary:
    """Split the data, train, observe, label, fine-tune and evaluate for every seed; write tables and pictures.

    Files are in `out/data` and `out/seed-N/{before,wild,after,full,evaluation}`. Finished work is kept;
    unfinished runs, trainings and evaluations are resumed.
    """
    find_evaluators(evaluators)  # before hours of training
    split = split_by_family(data, out / "data", study.families, study.build.layout)
    _check(study, split, out)
    for seed in study.seeds:
        _make_models(study, seed, data, split, out / f"seed-{seed}", devices[0])
    _evaluate(study, split, evaluators, out, devices)
    scores = _collect(study, data, split, evaluators, out)
    first = study.seeds[0]
    models = {model: out / f"seed-{first}" / model for model in get_args(Model)}
    pictures = [
        drawn
        for name, sampling in study.samplings.items()
        for drawn in draw_prompts(models, study.prompts, sampling, first, out / "samples" / name, devices[0])
    ]
    write_held_out(scores, split.counts, pictures, out)
    return HeldOutSummary(out, len(study.seeds))


def _check(study: HeldOutStudy, split: FamilySplit, out: Path) -> None:
    """Refuse settings that would fail only after training."""
    for cfg in (study.train, study.finetune):
        check_one_process(cfg, out)
    for folder in (split.known, split.new):
        dataset = MocapDataset(folder, study.evaluation.split)
        if dataset.skeleton != HUMANML3D:
            raise ConfigError(
                f"study: expected a dataset of the skeleton {HUMANML3D.name}, got {dataset.skeleton.name}"
            )
        check_protocol(RealClips(dataset, study.train.model.max_frames), study.evaluation)


def _make_models(study: HeldOutStudy, seed: int, data: Path, split: FamilySplit, folder: Path, device: str) -> None:
    cfg = study.train.model_copy(update={"seed": seed})
    train(cfg, split.known, folder / "before")
    run = Run.create(folder / "wild")
    import_keypoints(run, observed(split.new, study, seed))
    for _ in label_stages(run, folder / "before", study.filter, study.build, study.pseudo_label, device):
        pass
    tuning = study.finetune.model_copy(update={"seed": seed})
    finetune(tuning, run.root, folder / "before", folder / "after", split.known)
    train(cfg, data, folder / "full")


def observed(data: Path, study: HeldOutStudy, seed: int) -> Iterator[ImportedClip]:
    """The training clips of a dataset as a detector would see them, each from a random side."""
    dataset = MocapDataset(data, "train", study.build.layout)
    for number, clip in enumerate(dataset.ids):
        rng = np.random.default_rng((seed, number))
        joints = dataset.packed.joints(number, 0, int(dataset.lengths[number]) + 1)
        keypoints = observe(joints, rng.uniform(0, 360), study.noise, rng)
        yield ImportedClip(clip, keypoints, tuple(c.text for c in dataset.captions[number]))


def _folder(out: Path, seed: int, model: Model, sampling: str, actions: Actions) -> Path:
    return out / f"seed-{seed}" / "evaluation" / f"{model}-{sampling}-{actions}"


def _evaluate(study: HeldOutStudy, split: FamilySplit, evaluators: Path, out: Path, devices: tuple[str, ...]) -> None:
    for seed, model, sampling, actions in _cases(study):
        cfg = study.evaluation.model_copy(update={"seed": seed, "sampling": study.samplings[sampling]})
        data = split.new if actions == NEW else split.known
        target = _folder(out, seed, model, sampling, actions)
        evaluate(cfg, out / f"seed-{seed}" / model, data, evaluators, target, devices, f"{model}-{sampling}")


def _cases(study: HeldOutStudy) -> Iterator[tuple[int, Model, str, Actions]]:
    for seed in study.seeds:
        for model in get_args(Model):
            for sampling in study.samplings:
                for actions in get_args(Actions):
                    yield seed, model, sampling, actions


def _collect(study: HeldOutStudy, data: Path, split: FamilySplit, evaluators: Path, out: Path) -> Scores:
    """Metrics over the seeds, by actions and row (`after, mixture`)."""
    folders = find_evaluators(evaluators)
    kinds = [kind for kind in KINDS if f"{kind}-all" in folders]
    accuracy = ActionAccuracy(study, data, folders, kinds[-1])
    values: dict[str, dict[str, dict[str, list[float]]]] = {KNOWN: {}, NEW: {}}
    first = get_args(Model)[0], next(iter(study.samplings))
    for seed, model, sampling, actions in _cases(study):
        folder = _folder(out, seed, model, sampling, actions)
        result = EvaluationResult.load(folder)
        tables: dict[str, dict[str, dict[str, Value]]] = {
            t.evaluator: t.rows for t in result.tables if t.protocol == "distinct"
        }
        for row, measures in result.motion.items():
            if row == REAL and (model, sampling) != first:
                continue  # the same in every result of a seed
            name = REAL if row == REAL else f"{model}, {sampling}"
            metrics = {measure: value.mean for measure, value in measures.items()}
            for kind in kinds:
                of = "" if kind == kinds[0] else f", {kind}"
                metrics |= {f"{metric}{of}": value.mean for metric, value in tables[kind][row].items()}
            if actions == NEW:
                metrics["Accuracy"] = (
                    accuracy.of_real(split.new) if row == REAL else accuracy.of_generated(split.new, folder)
                )
            for metric, value in metrics.items():
                values[actions].setdefault(name, {}).setdefault(metric, []).append(value)
    return {
        actions: {name: {m: Value.of(v) for m, v in metrics.items()} for name, metrics in rows.items()}
        for actions, rows in values.items()
    }


class ActionAccuracy:
    """Accuracy of an action classifier that is trained on the real training clips of all actions.

    It uses the contrastive evaluator if there is one, which best recognises actions in unseen styles.
    """

    def __init__(self, study: HeldOutStudy, data: Path, evaluators: Mapping[str, Path], kind: str) -> None:
        self.study, self.name = study, f"{kind}-all"
        path = evaluators[self.name]
        self.evaluator, self.hash = load_evaluator(path), fingerprint(path)
        real = RealClips(MocapDataset(data, "train"), study.train.max_frames)
        embeddings = real.embeddings(self.evaluator, self.hash)
        labels = [self._action(real, clip) for clip, _, _ in real.spans]
        self.classifier = ActionClassifier.fit(embeddings, labels)

    def of_real(self, data: Path) -> float:
        """Accuracy on the real clips of a test split."""
        real = self._test(data)
        labels = [self._action(real, clip) for clip, _, _ in real.spans]
        return self.classifier.accuracy(real.embeddings(self.evaluator, self.hash), labels)

    def of_generated(self, data: Path, folder: Path) -> float:
        """Accuracy on the motions of an evaluation, averaged over its replications."""
        real = self._test(data)
        values = []
        for replication in range(self.study.evaluation.protocol.replications):
            arrays = read_replication(replication_path(folder, replication))
            assert arrays is not None
            labels = [self._action(real, int(clip)) for clip in arrays["clips"]]
            values.append(self.classifier.accuracy(arrays[f"motion/{self.name}"], labels))
        return float(np.mean(values))

    def _test(self, data: Path) -> RealClips:
        return RealClips(MocapDataset(data, self.study.evaluation.split), self.study.train.max_frames)

    def _action(self, real: RealClips, clip: int) -> str:
        texts = [c.text for c in real.data.captions[clip]]
        family = family_of(texts, self.study.families)
        return family.action(texts) if family else _OTHER
