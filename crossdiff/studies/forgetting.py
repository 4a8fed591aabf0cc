"""What fine-tuning on a run's clips teaches and what it costs: new actions and known prompts, by what protects them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from crossdiff.config import Config
from crossdiff.data.wild import WildDataset
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.errors import ConfigError
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.evaluation.evaluate import REAL, evaluate
from crossdiff.evaluation.protocol import find_evaluators
from crossdiff.files import write_json
from crossdiff.representation.features3d import joints_to_features_3d
from crossdiff.skeleton import Skeleton
from crossdiff.studies.lift.nearest_pose import local_poses
from crossdiff.training.config import FinetuneConfig
from crossdiff.training.launch import check_one_process
from crossdiff.training.stages import finetune
from crossdiff.viewing.page import Page, Section, write_page

_BEFORE = "before"
_METRICS = {"R-precision top 3": "R-precision top 3 ↑", "FID": "FID ↓"}
_DISTANCE = "new action, cm from the labels ↓"
_MOST_CAPTIONS = 16


class ForgettingRow(Config):
    """One way to fine-tune."""

    finetune: dict[str, Any] = Field(default_factory=dict)
    """Settings that differ from the study's."""
    data: bool = False
    """Whether real 3D motion is mixed in, as with `finetune --data`."""


class ForgettingStudy(Config):
    """Ways to fine-tune that are compared on the same runs."""

    rows: dict[str, ForgettingRow] = Field(min_length=1)
    """Ways to fine-tune, by name."""
    finetune: FinetuneConfig = FinetuneConfig()
    """Settings of fine-tuning that all rows share."""
    evaluation: EvaluationConfig = EvaluationConfig(split="val")
    """Settings of the evaluation of known prompts."""
    samplings: dict[str, SamplingConfig] = Field(min_length=1)
    """Ways to sample, by name; each is measured."""
    repeats: int = Field(4, ge=1)
    """Motions of each caption of a run, which are compared with its labels."""
    frames: int = Field(120, ge=8)
    """Their length."""

    def tuning(self, row: str) -> FinetuneConfig:
        return FinetuneConfig.model_validate(self.finetune.model_dump() | self.rows[row].finetune)


@dataclass(frozen=True)
class ForgettingSummary:
    out: Path
    models: int

    def __str__(self) -> str:
        return f"{self.out}: forgetting.md and .html of {self.models} fine-tuned models"


def run_forgetting(
    study: ForgettingStudy,
    runs: Sequence[Path],
    checkpoint: Path,
    data: Path,
    evaluators: Path,
    out: Path,
    devices: tuple[str, ...] = ("cpu",),
) -> ForgettingSummary:
    """Fine-tune the checkpoint on each labelled run in each way, and write a table.

    Known prompts are those of the dataset's split; its evaluators judge them. New actions are sampled by the captions
    of a run. Finished work is kept: trainings resume from their states, evaluations after their replications.
    """
    find_evaluators(evaluators)  # before hours of training
    if len({run.resolve().name for run in runs}) < len(runs):
        raise ConfigError(f"runs: expected folders of different names, got {', '.join(map(str, runs))}")
    for row in study.rows:
        check_one_process(study.tuning(row), out)
    lines = []
    for run, row, model in _models(study, runs, checkpoint, data, out):
        for way, sampling in study.samplings.items():
            name = f"{row}, {way}"
            cfg = study.evaluation.model_copy(update={"sampling": sampling})
            folder = out / ("" if run is None else run.resolve().name) / "evaluations" / name.replace(", ", "-")
            scores = evaluate(cfg, model, data, evaluators, folder, devices, name).tables[0].rows
            judged: list[Path] = [run] if run is not None else list(runs)
            for target in judged:
                near = new_action_distance(model, WildDataset(target), sampling, study, devices[0])
                values = {head: str(scores[name][metric]) for metric, head in _METRICS.items()}
                lines.append({"run": target.resolve().name, "fine-tuned": name, **values, _DISTANCE: round(near, 1)})
            real = {head: str(scores[REAL][metric]) for metric, head in _METRICS.items()}
    lines.sort(key=lambda line: [r.resolve().name for r in runs].index(str(line["run"])))
    table = pd.DataFrame([*lines, {"run": "", "fine-tuned": REAL, **real}])
    write_json(out / "forgetting.json", lines)
    page = Page("Forgetting", "What fine-tuning teaches, and what it costs", [Section("Results", _TEXT, table=table)])
    write_page(out / "forgetting.html", page, with_markdown=True)
    return ForgettingSummary(out, len(study.rows) * len(runs))


_TEXT = (
    "R-precision and FID are of known prompts. The last column compares motions that were sampled by the run's "
    "captions with the run's labels: the mean distance of the joints from those of the nearest pose, from samples to "
    "labels and back."
)


def _models(
    study: ForgettingStudy, runs: Sequence[Path], checkpoint: Path, data: Path, out: Path
) -> Iterator[tuple[Path | None, str, Path]]:
    """The model before, then each run's models, with the names of their rows."""
    yield None, _BEFORE, checkpoint
    for run in runs:
        for row, settings in study.rows.items():
            folder = out / run.resolve().name / row.replace(" ", "-")
            finetune(study.tuning(row), run, checkpoint, folder, data if settings.data else None)
            yield run, row, folder


def new_action_distance(
    checkpoint: Path, wild: WildDataset, sampling: SamplingConfig, study: ForgettingStudy, device: str
) -> float:
    """Centimetres between motions sampled by a run's captions and its labels; see `pose_distance`."""
    captions = sorted({captions[0] for captions in wild.captions if captions[0]})[:_MOST_CAPTIONS]
    if not captions:
        raise ConfigError(
            "run: expected clips with captions, got none; give them with: crossdiff extract-2d --captions"
        )
    pipe = CrossDiffPipeline.from_pretrained(checkpoint, device)
    skeleton, distances = pipe.model.skeleton, []
    for caption in captions:
        shown = [i for i, texts in enumerate(wild.captions) if texts[0] == caption]
        labels = torch.cat([local_poses(torch.from_numpy(wild.clips[i].features["3d"]), skeleton) for i in shown])
        motions = pipe([caption] * study.repeats, study.frames, seed=0, **sampling.keywords())
        made = torch.cat([_poses(torch.from_numpy(motion.joints), skeleton) for motion in motions])
        distances.append(pose_distance(made, labels) * skeleton.metres_per_unit * 100)
    return float(np.mean(distances))


def _poses(joints: Float[Tensor, "f j 3"], skeleton: Skeleton) -> Float[Tensor, "t j 3"]:
    return local_poses(joints_to_features_3d(joints.float(), skeleton), skeleton)


def pose_distance(a: Float[Tensor, "n j 3"], b: Float[Tensor, "m j 3"]) -> float:
    """Mean distance of the joints of each pose from those of the nearest pose of the other set, both ways averaged."""
    between = torch.stack([(one[None] - b).norm(dim=-1).mean(-1) for one in a])
    return float((between.amin(0).mean() + between.amin(1).mean()) / 2)
