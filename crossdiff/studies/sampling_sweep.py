"""Quality and time of sampling by solver, steps and guidance, compared with 1000 steps of DDPM."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field

from crossdiff.checkpoint import load_model
from crossdiff.config import Config
from crossdiff.diffusion.config import GuidanceScale, NumSteps, SamplingConfig, Timestep
from crossdiff.diffusion.sampling import sample
from crossdiff.diffusion.solvers import Solver
from crossdiff.errors import ConfigError
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.evaluation.evaluate import REAL, evaluate
from crossdiff.evaluation.protocol import find_evaluators
from crossdiff.evaluation.result import EvaluationResult, Value
from crossdiff.files import read_json, write_json, write_text
from crossdiff.viewing.page import Table
from crossdiff.viewing.palette import AMBER, BAND, BLUE, GREEN, RED
from crossdiff.viewing.plots import saved_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"dpm++": BLUE, "ddim": GREEN, "ddpm": AMBER}
# Largest FID, relative to the reference's, that counts as equally good; the band of the plot.
_AS_GOOD = 1.1
_TIMES = 3
_WORDS = 16


class Grid(Config):
    """Every number of steps with every guidance scale and every end of guidance."""

    solver: Solver
    """Solver."""
    steps: tuple[NumSteps, ...] = Field(min_length=1)
    """Numbers of denoising steps."""
    guidance_scale: tuple[GuidanceScale, ...] = Field((SamplingConfig().guidance_scale,), min_length=1)
    """Guidance scales."""
    guidance_end: tuple[Timestep, ...] = Field((SamplingConfig().guidance_end,), min_length=1)
    """Timesteps below which guidance is off."""


class SamplingSweep(Config):
    """Settings of sampling that are tried, and a reference to compare them with."""

    grids: tuple[Grid, ...] = Field(min_length=1)
    """Combinations that are tried."""
    reference: SamplingConfig = SamplingConfig(steps=1000, solver="ddpm")
    """Sampling that the others are compared with."""
    reference_replications: int = Field(1, ge=1)
    """Replications of the reference, which is slow."""
    evaluation: EvaluationConfig = EvaluationConfig(split="val")
    """Settings of every evaluation; its `sampling` is replaced by each row's."""
    frames: int = Field(120, ge=8)
    """Length of the motion whose sampling is timed, in frames."""

    def rows(self) -> list[SamplingConfig]:
        """All combinations without repetitions, the reference last."""
        tried = [
            SamplingConfig(solver=grid.solver, steps=steps, guidance_scale=scale, guidance_end=end)
            for grid in self.grids
            for steps in grid.steps
            for scale in grid.guidance_scale
            for end in grid.guidance_end
        ]
        return [row for n, row in enumerate([*tried, self.reference]) if row not in tried[:n]]


@dataclass(frozen=True)
class SweepRow:
    """The result of one way to sample, and its time for a single motion, in seconds."""

    sampling: SamplingConfig
    result: EvaluationResult
    seconds: float

    def value(self, metric: str) -> Value:
        return self.result.tables[0].rows[self.result.model.name][metric]


@dataclass(frozen=True)
class SamplingSweepSummary:
    out: Path
    rows: int

    def __str__(self) -> str:
        return f"{self.out}: sampling.md and .png of {self.rows} ways to sample"


def run_sampling_sweep(
    cfg: SamplingSweep,
    checkpoint: Path,
    data: Path,
    evaluators: Path,
    out: Path,
    devices: tuple[str, ...] = ("cpu",),
    only: Sequence[str] = (),
) -> SamplingSweepSummary:
    """Evaluate all rows, or `only` those of some solvers or `reference`, and write the table and its plot.

    Finished evaluations are kept. Times are for a single motion on the first device, the fastest of three.
    """
    names = [*dict.fromkeys(grid.solver for grid in cfg.grids), "reference"]
    if unknown := set(only) - set(names):
        raise ConfigError(f"rows: expected some of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    find_evaluators(evaluators)  # before a long wait
    rows = []
    for sampling in cfg.rows():
        kind = "reference" if sampling == cfg.reference else sampling.solver
        folder = out / _name(sampling)
        if not only or kind in only:
            evaluation = cfg.evaluation.model_copy(update={"sampling": sampling})
            if kind == "reference":
                few = cfg.evaluation.protocol.model_copy(update={"replications": cfg.reference_replications})
                evaluation = evaluation.model_copy(update={"protocol": few})
            evaluate(evaluation, checkpoint, data, evaluators, folder, devices, _name(sampling))
            seconds = {"seconds": time_of_one(checkpoint, sampling, cfg.frames, devices[0])}
            write_json(folder / "time.json", seconds)
        if (folder / "result.json").is_file() and (folder / "time.json").is_file():
            seconds = read_json(folder / "time.json")
            rows.append(SweepRow(sampling, EvaluationResult.load(folder), float(seconds["seconds"])))
    if len({(row.result.model.fingerprint, row.result.dataset.fingerprint) for row in rows}) > 1:
        raise ConfigError(f"{out}: holds rows of several models or datasets; give another --out")
    write_text(out / "sampling.md", Table.of(sweep_table(rows, cfg.reference)).to_markdown())
    _plot(out / "sampling.png", rows, cfg.reference)
    return SamplingSweepSummary(out, len(rows))


def time_of_one(checkpoint: Path, options: SamplingConfig, frames: int, device: str) -> float:
    """Seconds to sample one motion (dummy text of 16 words)."""
    model = load_model(checkpoint, device)
    text = model.null_text(1, _WORDS) + 1
    sample(
        model,
        text,
        [frames],
        SamplingConfig(steps=2, guidance_scale=options.guidance_scale, solver=options.solver),
        [0],
    )
    times = []
    for _ in range(1 if options.steps >= 500 else _TIMES):
        start = time.perf_counter()
        sample(model, text, [frames], options, [0]).cpu()  # waits for the device
        times.append(time.perf_counter() - start)
    return min(times)


def sweep_table(rows: Sequence[SweepRow], reference: SamplingConfig) -> pd.DataFrame:
    """A row for each way to sample, after real motion; FID also relative to the reference, if it was evaluated."""
    real = rows[0].result.tables[0].rows[REAL]
    known = next((row.value("FID").mean for row in rows if row.sampling == reference), None)
    head = {"solver": REAL, "steps": "", "guidance": "", "until t": ""}
    lines = [head | {"R-precision top 3 ↑": _text(real["R-precision top 3"]), "FID ↓": _text(real["FID"])}]
    for row in rows:
        fid = row.value("FID")
        motion = row.result.motion[row.result.model.name]
        lines.append(
            {
                "solver": row.sampling.solver,
                "steps": str(row.sampling.steps),
                "guidance": f"{row.sampling.guidance_scale:g}",
                "until t": str(row.sampling.guidance_end) if row.sampling.guidance_scale != 1 else "",
                "R-precision top 3 ↑": _text(row.value("R-precision top 3")),
                "FID ↓": _text(fid),
                "FID / reference": "" if known is None else f"{fid.mean / known:.2f}",
                "contacts that slide ↓": _text(motion["skating_share"]),
                "s a motion": f"{row.seconds:.2f}",
            }
        )
    return pd.DataFrame(lines).fillna("")


def _text(value: Value) -> str:
    """A value with its interval, which needs more than one replication."""
    return str(value) if len(value.values) > 1 else f"{value.mean:.3f}"


def _name(sampling: SamplingConfig) -> str:
    return f"{sampling.solver}-{sampling.steps}-{sampling.guidance_scale:g}-{sampling.guidance_end}"


def _plot(path: Path, rows: Sequence[SweepRow], reference: SamplingConfig) -> None:
    """FID over time for each solver, at the most frequent guidance scale; FID and R-precision over guidance."""
    from matplotlib.ticker import LogLocator, NullFormatter

    guidance = Counter(_guidance(row.sampling) for row in rows).most_common(1)[0][0]
    same = [row for row in rows if _guidance(row.sampling) == guidance]
    with saved_figure(path, 11, 4.2) as figure:
        left, right = figure.subplots(1, 2)
        for solver in dict.fromkeys(row.sampling.solver for row in same):
            line = sorted((r for r in same if r.sampling.solver == solver), key=lambda r: r.sampling.steps)
            fid = [row.value("FID") for row in line]
            seconds = [row.seconds for row in line]
            left.errorbar(
                seconds, [v.mean for v in fid], yerr=[v.interval for v in fid], fmt="o-", markersize=4, capsize=2,
                color=_COLOURS[solver], label=solver,
            )  # fmt: skip
            for x, v, row in zip(seconds, fid, line, strict=True):
                left.annotate(str(row.sampling.steps), (x, v.mean), (3, 5), textcoords="offset points", fontsize=7)
        known = [row.value("FID").mean for row in rows if row.sampling == reference]
        for value in known:
            left.axhspan(value / _AS_GOOD, value * _AS_GOOD, color=BAND, zorder=0, label="reference, ± 10 %")
        left.set(xscale="log", yscale="log", xlabel="seconds a motion, one at a time", ylabel="FID")
        for axis in (left.xaxis, left.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        left.set_title(f"Time and FID, guidance {guidance[0]:g}; numbers are steps")
        left.legend(frameon=False)
        _plot_guidance(right, rows)


def _guidance(sampling: SamplingConfig) -> tuple[float, int]:
    return sampling.guidance_scale, sampling.guidance_end


def _plot_guidance(ax: Axes, rows: Sequence[SweepRow]) -> None:
    """FID and R-precision over guidance, of the solver, steps and end with the most scales."""
    groups: dict[tuple[str, int, int], list[SweepRow]] = {}
    for row in rows:
        groups.setdefault((row.sampling.solver, row.sampling.steps, row.sampling.guidance_end), []).append(row)
    (solver, steps, _), line = max(groups.items(), key=lambda item: len(item[1]))
    line = sorted(line, key=lambda r: r.sampling.guidance_scale)
    scales = [row.sampling.guidance_scale for row in line]
    other = ax.twinx()
    for axes, metric, colour in ((ax, "FID", BLUE), (other, "R-precision top 3", RED)):
        values = [row.value(metric) for row in line]
        axes.errorbar(
            scales, [v.mean for v in values], yerr=[v.interval for v in values], fmt="o-", markersize=4, capsize=2,
            color=colour,
        )  # fmt: skip
        axes.set_ylabel(metric, color=colour)
    ax.set(xlabel="guidance scale", title=f"Guidance, {solver}, {steps} steps")
