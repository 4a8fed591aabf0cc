"""Text -> motion for the page: one motion per line, each with its own length if given."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path

from jaxtyping import Float
from numpy import ndarray

from crossdiff.app.models import Models
from crossdiff.app.progress import ProgressCallback, follow, subprogress
from crossdiff.app.results import Result, write_outputs
from crossdiff.checkpoint import Task
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.parts import PartText
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.errors import InputError
from crossdiff.models import CrossDiffModel
from crossdiff.novelty import far_prompts
from crossdiff.representation.physics import FEWEST_FRAMES
from crossdiff.viewing.player.view import Shown
from crossdiff.wording import slug
from crossdiff.workflows.controls import SampleControls, read_waypoints
from crossdiff.workflows.samples import sample_motions, sample_row

MAX_LINES = 8
# Fraction of the time that sampling takes; drawing takes the rest.
_SAMPLED = 0.4


def read_lines(text: str, seconds: float | None) -> list[PartText]:
    """The non-empty lines. `a person walks | 4` lasts 4 seconds, a line without a number `seconds` (None: unknown)."""
    lines = [PartText.parse(line) for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("text: expected a sentence such as `a person walks forward`, got none")
    if len(lines) > MAX_LINES:
        raise InputError(f"text: expected at most {MAX_LINES} lines, got {len(lines)}; generate the others afterwards")
    return [line if line.seconds is not None else replace(line, seconds=seconds) for line in lines]


def _frames(line: PartText, model: CrossDiffModel) -> int | None:
    """Number of frames of the line's motion, if known; InputError if the model cannot make it that short or long."""
    if line.seconds is None:
        return None
    fps, most = model.skeleton.fps, model.config.max_frames
    frames = round(line.seconds * fps)
    if not FEWEST_FRAMES <= frames <= most:
        low, high = FEWEST_FRAMES / fps, most / fps
        raise InputError(f"text: expected {low:.1f} to {high:.1f} seconds, got {line.seconds:g} for {line.prompt!r}")
    return frames


def timeline(text: str, seconds: float) -> str:
    """The lines as HTML: one bar, in which each line is as wide as its motion is long; empty where none can be read."""
    try:
        lines = read_lines(text, seconds)
    except InputError:
        return ""
    bars = (
        f'<span style="flex-grow: {line.seconds:g}" title="{escape(line.prompt)}">{escape(line.prompt)} '
        f"<small>{line.seconds:g} s</small></span>"
        for line in lines
    )
    return f'<div class="timeline">{"".join(bars)}</div>'


def make_motions(
    models: Models,
    text: str,
    seconds: float,
    cfg: SamplingConfig,
    seed: int,
    folder: Path,
    progress: ProgressCallback,
    in_a_row: bool = False,
    path: str = "",
    raw: bool = False,
) -> Result:
    """Sample one motion per line and write it into `folder`; line i takes `seed` + i.

    in_a_row: one motion of all lines instead. path: points that the pelvis follows, as in `read_waypoints`; a line
    without its own seconds then lasts as long as the path takes. raw: feet are not planted.
    """
    controls = SampleControls(path=read_waypoints(path) if path.strip() else None, raw=raw)
    lines = read_lines(text, seconds if in_a_row or controls.path is None else None)
    progress(0.0, "Loading the model")
    task: Task = "lift" if cfg.mixture else "text"
    pipe = models.pipeline(task, cfg.steps)
    sampling, drawing = subprogress(progress, 0.0, _SAMPLED), subprogress(progress, _SAMPLED, 1.0)
    with follow(sampling, "sample", lambda event: f"Step {event.done} of {event.total}"):
        shown = (_row if in_a_row else _motions)(pipe, lines, cfg, seed, controls)
    notes = [f"{one}." for one in far_prompts(models.folder(task), [line.prompt for line in lines])]
    return write_outputs(shown, folder, drawing, notes)


def _motions(
    pipe: CrossDiffPipeline, lines: list[PartText], cfg: SamplingConfig, seed: int, controls: SampleControls
) -> list[Shown]:
    for line in lines:
        if line.rate != 1.0 or line.guidance_scale is not None:
            raise InputError(f"text: guidance and rate belong to lines in a row, got them after {line.prompt!r}")
    frames = [_frames(line, pipe.model) for line in lines]
    motions = sample_motions(pipe, [line.prompt for line in lines], frames, seed, cfg, controls)
    return [
        Shown(motion, line.prompt, f"{n:02d}_{slug(line.prompt)}", path=_points(controls))
        for n, (line, motion) in enumerate(zip(lines, motions, strict=True))
    ]


def _row(
    pipe: CrossDiffPipeline, lines: list[PartText], cfg: SamplingConfig, seed: int, controls: SampleControls
) -> list[Shown]:
    fps = pipe.model.skeleton.fps
    row = [line.part(fps) for line in lines]
    (motion,) = sample_row(pipe, row, [seed], cfg, controls)
    prompt = ", then ".join(line.prompt for line in lines)
    parts = tuple((part.prompt, part.frames) for part in row)
    return [Shown(motion, prompt, f"00_{slug(prompt)}", parts=parts, path=_points(controls))]


def _points(controls: SampleControls) -> Float[ndarray, "n 2"] | None:
    return None if controls.path is None else controls.path.points
