"""Ablations, such as those of the paper's table 2: one model per row, trained and evaluated alike, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import Field, model_validator
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from crossdiff.config import Config, load_config
from crossdiff.data.batches import make_batch
from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import ConfigError
from crossdiff.evaluation.compare import compare
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.evaluation.evaluate import REAL, evaluate
from crossdiff.evaluation.protocol import find_evaluators
from crossdiff.evaluation.result import EvaluationResult, ScoreTable
from crossdiff.training.config import TrainConfig
from crossdiff.training.draws import draw
from crossdiff.training.launch import check_one_process
from crossdiff.training.losses import cross_losses
from crossdiff.training.stages import mocap_batches, new_model, train
from crossdiff.viewing.page import Figure, Page, Section, write_page
from crossdiff.viewing.plots import draw_intervals, saved_figure

_COLUMNS = {
    "R-precision top 3": "R-precision top 3 ↑",
    "FID": "FID ↓",
    "MM-Dist": "MM-Dist ↓",
    "Diversity": "Diversity → Real",
}
_PROBES = 6
# Words of the caption, for networks that read words.
_WORDS = 16


class Ablation(Config):
    """A row of a study: settings that differ from the study's."""

    label: str
    """Name in the table."""
    group: str
    """Heading that the row belongs to."""
    paper: str = ""
    """Name of the row in the paper's table 2; empty if it has none."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Settings of training that differ."""


class AblationStudy(Config):
    """Models that are trained and evaluated alike, but for one difference each."""

    rows: tuple[str, ...]
    """Names of shipped files, in `ablations/` unless they contain a folder, or paths."""
    stage1: dict[str, Any]
    """Settings of stage I that all rows share."""
    stage2: dict[str, Any] | None = None
    """Settings of stage II that all rows share; null: the models of stage I are evaluated."""
    equal_compute: bool = False
    """Give all rows as many operations for stage I as the first has, by their numbers of steps."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Settings of the evaluation."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for stage in (self.stage1, self.stage2):
            if stage is not None:
                TrainConfig.model_validate(stage)
        return self

    def stages(self, row: Ablation) -> list[TrainConfig]:
        """The stages of a row; stage II has the network of its checkpoint."""
        stages = [TrainConfig.model_validate(_merged(self.stage1, row.train))]
        if self.stage2 is not None:
            rest = {key: value for key, value in row.train.items() if key != "model"}
            stages.append(TrainConfig.model_validate(_merged(self.stage2, rest)))
        return stages


@dataclass(frozen=True)
class AblationSummary:
    out: Path
    rows: int

    def __str__(self) -> str:
        return f"{self.out}: ablations.md, .html and .png of {self.rows} models"


def run_ablations(
    study: AblationStudy,
    data: Path,
    evaluators: Path,
    out: Path,
    devices: tuple[str, ...] = ("cpu",),
    only: Sequence[str] = (),
) -> AblationSummary:
    """Train and evaluate all rows, or `only` some, each in a folder of its name, and write the table.

    Finished work is kept: trainings resume from their states, evaluations after their replications. The table has all
    rows of the study that have a result.
    """
    unknown = set(only) - set(study.rows)
    if unknown:
        raise ConfigError(f"rows: expected some of {', '.join(study.rows)}, got {', '.join(sorted(unknown))}")
    find_evaluators(evaluators)  # before hours of training
    rows = {name: load_config(Ablation, _file_of(name)) for name in study.rows}
    flops = None
    if study.equal_compute:
        flops = step_flops(study.stages(rows[study.rows[0]])[0], data)
    for name in only or study.rows:
        folder, checkpoint = out / Path(name).stem, None
        for number, stage in enumerate(study.stages(rows[name])):
            if flops is not None and number == 0:
                stage = stage.model_copy(update={"steps": round(stage.steps * flops / step_flops(stage, data))})
            check_one_process(stage, folder / f"stage{number + 1}")
            trained = train(stage, data, folder / f"stage{number + 1}", checkpoint)
            checkpoint = trained.out
        assert checkpoint is not None
        evaluate(study.evaluation, checkpoint, data, evaluators, folder / "evaluation", devices, name)
    results = [
        (rows[name], EvaluationResult.load(path))
        for name in study.rows
        if (path := out / Path(name).stem / "evaluation" / "result.json").is_file()
    ]
    compare([result for _, result in results])  # refuses results of other evaluators, data or protocols
    _plot(out / "ablations.png", results)
    sections = [Section(_title(t), table=_frame(results, number)) for number, t in enumerate(results[0][1].tables)]
    picture = Figure("ablations.png", "R-precision and FID of every row, with 95 % intervals")
    page = Page("Ablations", sections=[Section("Overview", figures=[picture]), *sections])
    write_page(out / "ablations.html", page, with_markdown=True)
    return AblationSummary(out, len(results))


def _title(table: ScoreTable) -> str:
    batches = "no caption shared within a batch" if table.protocol == "distinct" else "batches drawn at random"
    return f"Evaluator {table.evaluator}, {table.protocol} protocol ({batches})"


def _frame(results: Sequence[tuple[Ablation, EvaluationResult]], number: int) -> pd.DataFrame:
    real = results[0][1].tables[number].rows[REAL]
    columns = {metric: head for metric, head in _COLUMNS.items() if metric in real}
    lines = [{"group": "", "model": REAL, "parameters": "", **{head: str(real[m]) for m, head in columns.items()}}]
    for ablation, result in results:
        values = result.tables[number].rows[result.model.name]
        size = f"{result.model.parameters / 1e6:.1f} M"
        line = {"group": ablation.group, "model": ablation.label, "parameters": size}
        lines.append(line | {head: str(values[m]) for m, head in columns.items()})
    return pd.DataFrame(lines)


def _plot(path: Path, results: Sequence[tuple[Ablation, EvaluationResult]]) -> None:
    """R-precision and FID of the first table, with intervals."""
    tables = [result.tables[0] for _, result in results]
    names = [ablation.label for ablation, _ in results]
    with saved_figure(path, 11, 1.4 + 0.4 * len(results)) as figure:
        axes = figure.subplots(1, 2, sharey=True)
        for ax, metric, better in zip(axes, ("R-precision top 3", "FID"), ("higher", "lower"), strict=True):
            values = [t.rows[r.model.name][metric] for t, (_, r) in zip(tables, results, strict=True)]
            draw_intervals(
                ax, names, [v.mean for v in values], [v.interval for v in values], tables[0].rows[REAL][metric].mean
            )
            ax.set(title=f"{metric} ({better} is better)")
        axes[0].legend(frameon=False)


def _file_of(name: str) -> str:
    return name if Path(name).is_file() or "/" in name else f"ablations/{name}"


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` updated with `changes`, recursively."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def step_flops(cfg: TrainConfig, data: Path) -> float:
    """Mean floating-point operations of a training step, forward and backward, over steps spread over the run."""
    dataset = MocapDataset(data, "train", cfg.model.layout_2d)
    model = new_model(cfg.model, dataset, cfg.seed)
    batches = mocap_batches(cfg, dataset, cfg.batch_size, min(cfg.max_frames, cfg.model.max_frames))
    objective = cfg.objective()
    # Other attention kernels are not counted.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        for probe in range(_PROBES):
            batch = make_batch(batches, (2 * probe + 1) * cfg.steps // (2 * _PROBES))
            text = model.null_text(cfg.batch_size, _WORDS) + 1
            draws = draw((cfg.seed, probe), batch.rows, 0.0)
            terms = cross_losses(model.network, model, batch, text, objective.pairs, draws)
            objective.clip_losses(terms, batch).mean().backward()
    return counter.get_total_flops() / _PROBES
