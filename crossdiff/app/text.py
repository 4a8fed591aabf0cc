"""Text -> motion for the page: one motion per line, each with its own length if given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from crossdiff.app.models import Models
from crossdiff.app.progress import ProgressCallback, follow, subprogress
from crossdiff.app.results import Result, write_outputs
from crossdiff.checkpoint import Task
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.errors import InputError
from crossdiff.models import CrossDiffModel
from crossdiff.novelty import far_prompts
from crossdiff.representation.physics import FEWEST_FRAMES
from crossdiff.viewing.player.view import Shown
from crossdiff.wording import slug
from crossdiff.workflows.samples import sample_motions

MAX_LINES = 8
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*s?")
# Fraction of the time that sampling takes; drawing takes the rest.
_SAMPLED = 0.4


@dataclass(frozen=True)
class Line:
    """A prompt and the length of its motion."""

    prompt: str
    seconds: float


def read_lines(text: str, seconds: float) -> list[Line]:
    """The non-empty lines. `a person walks | 4` lasts 4 seconds, a line without a number `seconds`."""
    lines = [_read_line(line, seconds) for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("text: expected a sentence such as `a person walks forward`, got none")
    if len(lines) > MAX_LINES:
        raise InputError(f"text: expected at most {MAX_LINES} lines, got {len(lines)}; generate the others afterwards")
    return lines


def _read_line(line: str, seconds: float) -> Line:
    prompt, bar, number = line.partition("|")
    if bar:
        match = _SECONDS.fullmatch(number.strip())
        if match is None:
            raise InputError(f"text: expected seconds after the bar, as in `a person walks | 4`, got {line.strip()!r}")
        seconds = float(match[1])
    return Line(prompt.strip(), seconds)


def _frames(line: Line, model: CrossDiffModel) -> int:
    """Number of frames of the line's motion; InputError if the model cannot make it that short or long."""
    fps, most = model.skeleton.fps, model.config.max_frames
    frames = round(line.seconds * fps)
    if not FEWEST_FRAMES <= frames <= most:
        low, high = FEWEST_FRAMES / fps, most / fps
        raise InputError(f"text: expected {low:.1f} to {high:.1f} seconds, got {line.seconds:g} for {line.prompt!r}")
    return frames


def make_motions(
    models: Models, text: str, seconds: float, cfg: SamplingConfig, seed: int, folder: Path, progress: ProgressCallback
) -> Result:
    """Sample one motion per line and write it into `folder`; line i takes `seed` + i."""
    lines = read_lines(text, seconds)
    progress(0.0, "Loading the model")
    task: Task = "lift" if cfg.mixture else "text"
    pipe = models.pipeline(task)
    sampling, drawing = subprogress(progress, 0.0, _SAMPLED), subprogress(progress, _SAMPLED, 1.0)
    prompts, frames = [line.prompt for line in lines], [_frames(line, pipe.model) for line in lines]
    with follow(sampling, "sample", lambda event: f"Step {event.done} of {event.total}"):
        motions = sample_motions(pipe, prompts, frames, seed, cfg)
    shown = [
        Shown(motion, line.prompt, f"{n:02d}_{slug(line.prompt)}")
        for n, (line, motion) in enumerate(zip(lines, motions, strict=True))
    ]
    notes = [f"{one}." for one in far_prompts(models.folder(task), prompts)]
    return write_outputs(shown, folder, drawing, notes)
