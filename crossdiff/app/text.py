"""Text -> motion, as it is typed into the page: a motion per line, with its seconds if wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from crossdiff.app.models import Models
from crossdiff.app.results import Result, hand_out
from crossdiff.app.tell import Tell, part_of
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.errors import InputError
from crossdiff.models import CrossDiffModel
from crossdiff.representation.physics import FEWEST_FRAMES
from crossdiff.viewing.player.view import Shown
from crossdiff.wording import slug

MOST_LINES = 8
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*s?")
# Share of the time by which the motions are sampled; drawing takes the rest.
_SAMPLED = 0.4


@dataclass(frozen=True)
class Line:
    """A sentence and how many seconds its motion takes."""

    prompt: str
    seconds: float


def read_lines(text: str, seconds: float) -> list[Line]:
    """The lines that are not empty. `a person walks | 4` takes 4 seconds, a line without a number `seconds`."""
    lines = [_read_line(line, seconds) for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("text: expected a sentence such as `a person walks forward`, got none")
    if len(lines) > MOST_LINES:
        raise InputError(f"text: expected at most {MOST_LINES} lines, got {len(lines)}; generate them in turns")
    return lines


def _read_line(line: str, seconds: float) -> Line:
    prompt, bar, number = line.partition("|")
    if bar:
        found = _SECONDS.fullmatch(number.strip())
        if found is None:
            raise InputError(f"text: expected seconds behind the bar, as in `a person walks | 4`, got {line.strip()!r}")
        seconds = float(found[1])
    return Line(prompt.strip(), seconds)


def _frames(line: Line, model: CrossDiffModel) -> int:
    """How many frames the line's motion has; the model's longest is the most."""
    fps, most = model.skeleton.fps, model.config.max_frames
    frames = round(line.seconds * fps)
    if not FEWEST_FRAMES <= frames <= most:
        low, high = FEWEST_FRAMES / fps, most / fps
        raise InputError(f"text: expected {low:.1f} to {high:.1f} seconds, got {line.seconds:g} for {line.prompt!r}")
    return frames


def make_motions(
    models: Models, text: str, seconds: float, options: SamplingConfig, seed: int, folder: Path, tell: Tell
) -> Result:
    """Sample one motion per line and write it into `folder`; line i takes `seed` + i."""
    lines = read_lines(text, seconds)
    tell(0.0, "Loading the model")
    pipe = models.pipeline("lift" if options.mixture else "text")
    sampled, drawn = part_of(tell, 0.0, _SAMPLED), part_of(tell, _SAMPLED, 1.0)
    motions = pipe(
        [line.prompt for line in lines],
        [_frames(line, pipe.model) for line in lines],
        seed=seed,
        on_step=lambda done, count: sampled(done / count, f"Step {done} of {count}"),
        **options.keywords(),
    )
    shown = [
        Shown(motion, line.prompt, f"{n:02d}_{slug(line.prompt)}")
        for n, (line, motion) in enumerate(zip(lines, motions, strict=True))
    ]
    return hand_out(shown, folder, drawn)
