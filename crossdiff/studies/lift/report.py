"""Lifting accuracy as tables, a plot, and pictures of a few clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from crossdiff.evaluation.report import FACTS_TITLE, flat, named_table
from crossdiff.representation.features3d import canonicalise
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.lift.accuracy import Example
from crossdiff.studies.lift.config import CLEAN_YAWS, CONDITIONS, LIFTED, MEAN, NEAREST, NOISY_YAWS
from crossdiff.studies.lift.metrics import METRICS, Estimate
from crossdiff.studies.lift.result import LiftResult, LiftRow
from crossdiff.types import Motion3D
from crossdiff.viewing.encode import Image
from crossdiff.viewing.page import Cell, Column, Figure, Page, Section, write_page
from crossdiff.viewing.palette import AMBER, BLUE, GREY
from crossdiff.viewing.paper import Paper
from crossdiff.viewing.plots import draw_intervals, saved_figure
from crossdiff.viewing.stills import contact_sheet
from crossdiff.viewing.video import MotionView, side_by_side, write_video
from crossdiff.wording import counted

_SIZE = 280  # pixels of a panel of the examples
_INTERVALS = "± is half the width of the 95 % interval over bootstrap draws of the clips."
_COLOURS = {LIFTED: BLUE, NEAREST: AMBER, MEAN: GREY}


def write_lift_report(result: LiftResult, examples: Sequence[Example], folder: Path) -> None:
    """Write result.json, report.md, report.html, accuracy.png and, where there are examples, examples.png and .mp4."""
    result.save(folder / "result.json")
    plot(result, folder / "accuracy.png")
    pictures = [Figure("accuracy.png", "Lifting beside two baselines, and the error that each fault alone adds.")]
    if examples:
        draw_examples(examples, folder)
        shows = "Two moments of a clip of the best, of middling and of the worst; examples.mp4 shows them move."
        pictures.append(Figure("examples.png", shows))
    write_page(folder / "report.html", report_page(result, pictures), with_markdown=True)


def markdown(result: LiftResult) -> str:
    return report_page(result).to_markdown()


def report_page(result: LiftResult, pictures: Sequence[Figure] = ()) -> Page:
    """Tables of accuracy under every condition, pictures, and the settings that the numbers depend on."""
    data, model = result.dataset, result.model
    lead = (
        f"{data.folder}, split {data.split}: {counted(data.clips, 'clip')} whose motion is known in 3D, seen by a "
        "simulated detector, processed by the pipeline, lifted and compared."
    )
    facts = {
        "model": f"{model.name} ({model.parameters:,} parameters), {model.folder}",
        "model's hash": model.fingerprint,
        "dataset": f"{data.folder}, split {data.split}",
        "dataset's fingerprint": data.fingerprint,
        **flat(result.config),
        "device": result.device,
        "seconds": f"{result.seconds:.0f}",
        "date": result.date,
        "crossdiff": result.version,
    }
    sections = [Section("At a glance", figures=pictures)] if pictures else []
    sections += [*_condition_sections(result), _fault_section(result), _way_section(result)]
    sections.append(Section(FACTS_TITLE, facts=list(facts.items())))
    return Page(f"How well {model.name} lifts", lead, sections)


def _condition_sections(result: LiftResult) -> list[Section]:
    what = " ".join(f"{m.title}: {m.what}." for m in METRICS.values())
    sections: list[Section] = []
    for condition in CONDITIONS:
        rows = [r for r in result.rows if r.condition == condition and r.method in _COLOURS]
        text = f"{_through(rows[0])} {what} {_INTERVALS}" if not sections else _through(rows[0])
        sections.append(_section(condition.capitalize(), text, {r.method: r for r in rows}, "beside lifted"))
    return sections


def _fault_section(result: LiftResult) -> Section:
    alone = {r.condition: r for r in result.rows if r.condition not in CONDITIONS}
    rows = {"none": result.row(CLEAN_YAWS, LIFTED), **alone, "all": result.row(NOISY_YAWS, LIFTED)}
    text = (
        "Random yaws, each kind of error alone; toes and camera errors in every clip (with all errors: in their "
        "fraction of the clips). The first column is the difference to no errors for the same clips, with its interval."
    )
    return _section("What each fault costs", text, rows, "beside none")


def _way_section(result: LiftResult) -> Section:
    rows = [r for r in result.rows if r.condition == NOISY_YAWS and r.method not in (NEAREST, MEAN)]
    text = "Noisy, random yaws. The first column is the difference to the default for the same clips."
    return _section("Ways to lift", text, {r.method: r for r in rows}, "beside lifted")


def _through(row: LiftRow) -> str:
    return f"{counted(row.seen, 'view')}, {row.lost} lost in the pipeline; {100 * row.scored:.1f} % of frames compared."


def _section(title: str, text: str, rows: dict[str, LiftRow], beside: str) -> Section:
    columns = [Column(f"{m.title}, {m.unit}", "↓") for m in METRICS.values()]
    columns = [Column(f"MPJPE {beside}, mm"), columns[0], Column("MPJPE of the median clip, mm", "↓"), *columns[1:]]
    first_row = next(iter(rows), "")
    lines = {}
    for name, row in rows.items():
        cells = [_cell(row.values[key], metric.digits) for key, metric in METRICS.items()]
        cells.insert(1, Cell(f"{row.values['mpjpe'].median:.1f}"))
        own = name == first_row
        cells.insert(0, Cell("") if own else _cell(row.beside["mpjpe"], 1, sign="+"))
        lines[name] = cells
    return Section(title, text, table=named_table(columns, lines))


def _cell(value: Estimate, digits: int, sign: str = "") -> Cell:
    return Cell(f"{value.mean:{sign}.{digits}f}", f"{value.half:.{digits}f}")


def plot(result: LiftResult, path: Path) -> None:
    """Bars of MPJPE for each condition and method; points for each fault."""
    faults = [r for r in result.rows if r.condition not in CONDITIONS]
    faults.append(result.row(NOISY_YAWS, LIFTED))
    with saved_figure(path, 11, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        places = np.arange(len(CONDITIONS))
        for n, (method, colour) in enumerate(_COLOURS.items()):
            values = [result.row(c, method).values["mpjpe"] for c in CONDITIONS]
            left.bar(places + 0.27 * (n - 1), [v.mean for v in values], 0.25, color=colour, label=method,
                     yerr=_reach(values), capsize=3, error_kw={"linewidth": 1})  # fmt: skip
        left.set_xticks(places, [c.replace(", ", "\n") for c in CONDITIONS])
        left.set(ylabel="MPJPE (mm)", title="Beside baselines (lower is better)", ylim=(0, 1.3 * left.get_ylim()[1]))
        left.legend(frameon=False, ncols=3, loc="upper center", columnspacing=1.0)
        values = [r.beside["mpjpe"] for r in faults]
        names = [r.condition if r.condition != NOISY_YAWS else "all, in their shares" for r in faults]
        draw_intervals(right, names, [v.mean for v in values], _reach(values), 0.0, "no fault")
        right.set(title="What each fault costs", xlabel="MPJPE (mm) more than without it, same clips")


def _reach(values: Sequence[Estimate]) -> np.ndarray:
    """Lower and upper half-widths of the intervals, (2, N)."""
    return np.array([[v.mean - v.low, v.high - v.mean] for v in values]).T


def draw_examples(examples: Sequence[Example], folder: Path) -> None:
    """`examples.mp4`, one clip after the other, and `examples.png`, two moments of each."""
    frames = [list(_panels(example)) for example in examples]
    tallest = max(clip[0].shape[0] for clip in frames)
    frames = [[_grown(image, tallest) for image in clip] for clip in frames]
    write_video((image for clip in frames for image in clip), folder / "examples.mp4", HUMANML3D.fps)
    moments = [clip[round(share * (len(clip) - 1))] for clip in frames for share in (0.3, 0.7)]
    contact_sheet(moments, folder / "examples.png", columns=2, count=len(moments), width=moments[0].shape[1])


def _panels(example: Example) -> Iterator[Image]:
    """Frames of a clip: the 2D input, and the lifted and the true motion from the same side."""
    paper = Paper(example.flat)
    views = [MotionView(_placed(joints)) for joints in (example.lifted, example.true)]
    for view in views:
        view.centre = views[-1].centre  # so that heights in the pictures are comparable
    distance = 1.05 * max(view.distance for view in views)
    scenes = [view.scene(_SIZE, distance) for view in views]
    panels = (
        [paper.draw(n, _SIZE, paper.extent), *(v.draw(s, n) for v, s in zip(views, scenes, strict=True))]
        for n in range(len(example.true))
    )
    return side_by_side(panels, ["2D input", f"lifted, {example.error:.0f} mm off", f"true: {example.name}"], _SIZE)


def _placed(joints: Tensor) -> Motion3D:
    return Motion3D(canonicalise(joints).numpy(), HUMANML3D.fps)


def _grown(image: Image, height: int) -> Image:
    return np.pad(image, ((height - image.shape[0], 0), (0, 0), (0, 0)), mode="edge")
