"""Accuracy of labels on film as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import starmap
from pathlib import Path

from crossdiff.evaluation.report import FACTS_TITLE, MISSING, flat, named_table
from crossdiff.studies.film.comparison import COVERAGE, LABEL
from crossdiff.studies.film.config import MAIN
from crossdiff.studies.film.measures import MEASURES
from crossdiff.studies.film.result import FilmResult, GroupResult, MeanError, SettingResult, VideoResult
from crossdiff.studies.lift.metrics import Metric
from crossdiff.viewing.page import Cell, Column, Page, Section, Table, write_page
from crossdiff.wording import counted

_LANDMARKS = {"file": "from the film folder", "run": "of the run's keypoints", None: "none: the detector gives no 3D"}
_HIGHER = {"covered", "accepted", "right"}  # is better


def write_film_report(result: FilmResult, folder: Path) -> None:
    """Write result.json, report.md and report.html."""
    result.save(folder / "result.json")
    write_page(folder / "report.html", report_page(result), with_markdown=True)


def markdown(result: FilmResult) -> str:
    """The tables over all videos, without those of each group and video."""
    sections = [section for setting in result.settings for section in _overall(setting)]
    return Page(_title(result), _lead(result), sections).to_markdown()


def report_page(result: FilmResult) -> Page:
    """Tables of every setting over all videos, by group and by video, and what the numbers depend on."""
    model, film = result.model, result.film
    sections: list[Section] = []
    for setting in result.settings:
        sections += [*_overall(setting), *_groups(setting), _each(setting)]
    if result.failures:
        sections.append(Section("Inputs that failed", code="\n".join(result.failures)))
    facts = {
        "model": f"{model.name} ({model.parameters:,} parameters), {model.folder}",
        "model's hash": model.fingerprint,
        "film": film.folder,
        "film's fingerprint": film.fingerprint,
        "detector's own 3D": _LANDMARKS[film.landmarks],
        **flat(result.config),
        "device": result.device,
        "seconds": f"{result.seconds:.0f}",
        "date": result.date,
        "crossdiff": result.version,
    }
    sections.append(Section(FACTS_TITLE, facts=list(facts.items())))
    return Page(_title(result), _lead(result), sections)


def _title(result: FilmResult) -> str:
    return f"How well {result.model.name} labels film"


def _lead(result: FilmResult) -> str:
    videos = counted(result.film.videos, "video")
    return f"{result.film.folder}: {videos} whose motion was measured in 3D, labelled by the pipeline and compared."


def _overall(setting: SettingResult) -> Iterator[Section]:
    whole = setting.overall
    frames = "All rows are of the same frames, means over the frames of a video and then over videos."
    errors = "± is the standard error over videos."
    text = f"{_labelled(whole)} {frames} {errors}\n\n{_defined(MEASURES)}" if setting.name == MAIN else _labelled(whole)
    yield Section(f"{_titled(setting)}: errors", text, table=_means(MEASURES, whole.values))
    counts = [sum(getattr(v, name) for v in setting.videos) for name in ("labels", "rejected", "overlapping")]
    text = (
        f"{counted(counts[0], 'label')} measured, {counts[1]} of them rejected by pseudo-label; {counts[2]} left out, "
        "as a better one shows the same frames."
    )
    if setting.name == MAIN:
        text += " " + _defined(COVERAGE)
    yield Section(f"{_titled(setting)}: coverage", text, table=_means(COVERAGE, whole.coverage))


def _groups(setting: SettingResult) -> Iterator[Section]:
    if len(setting.groups) > 1:
        for group in setting.groups:
            table = _means(MEASURES, group.values)
            yield Section(f"{_titled(setting)}: {group.name}", _group_text(group), table=table)


def _group_text(group: GroupResult) -> str:
    label = group.coverage[LABEL]
    covered, whole = _cell(label["covered"], 1), _cell(label["pa_mpjpe"], 1)
    return f"{_labelled(group)} Labels cover {covered} % of the frames; PA-MPJPE of all frames {whole} mm."


def _labelled(group: GroupResult) -> str:
    return f"{group.labelled} of {counted(group.videos, 'video')} with labels."


def _each(setting: SettingResult) -> Section:
    columns = [_column("covered", COVERAGE["covered"]), Column("Frames"), *starmap(_column, MEASURES.items())]
    rows = {}
    for video in setting.videos:
        for method, values in (video.values or {LABEL: dict.fromkeys(MEASURES)}).items():
            cells = [_plain(values[name], metric.digits) for name, metric in MEASURES.items()]
            rows[f"{video.name}: {method}"] = [*_own_cells(video, method), *cells]
    text = "Frames: those that were compared. Acceleration and the rest are means over them."
    return Section(f"{_titled(setting)}: each video", text, table=named_table(columns, rows))


def _own_cells(video: VideoResult, method: str) -> list[Cell]:
    covered = video.coverage.get(method, {}).get("covered")
    return [_plain(covered, 1) if method in video.coverage else Cell(""), Cell(str(video.compared))]


def _titled(setting: SettingResult) -> str:
    return setting.name.capitalize() + (" settings" if setting.name == MAIN else "")


def _defined(metrics: Mapping[str, Metric]) -> str:
    return " ".join(f"{m.title}: {m.what}." for m in metrics.values())


def _column(name: str, metric: Metric) -> Column:
    return Column(f"{metric.title}, {metric.unit}", "↑" if name in _HIGHER else "↓")


def _means(metrics: Mapping[str, Metric], values: Mapping[str, Mapping[str, MeanError]]) -> Table:
    """A row for each method."""
    columns = [_column(name, metric) for name, metric in metrics.items()]
    rows = {method: [_cell(row[name], m.digits) for name, m in metrics.items()] for method, row in values.items()}
    return named_table(columns, rows)


def _cell(value: MeanError, digits: int) -> Cell:
    return Cell(_plain(value.mean, digits).text, "" if value.error is None else f"{value.error:.{digits}f}")


def _plain(value: float | None, digits: int) -> Cell:
    return Cell(MISSING if value is None else f"{value:.{digits}f}")
