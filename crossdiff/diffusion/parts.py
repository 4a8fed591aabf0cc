"""Prompts in a row: the parts of one long motion."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.representation.physics import FEWEST_FRAMES

# Limits of `PromptPart.rate`.
_SLOWEST, _FASTEST = 0.25, 4.0
# Frames over which one rate changes into the next (standard deviation).
_RATE_SIGMA = 3.0
_SETTING = re.compile(r"(guidance|rate)\s*=\s*(\d+(?:\.\d+)?|\.\d+)")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*s?")


@dataclass(frozen=True)
class PromptPart:
    """One prompt of several in a row."""

    prompt: str
    """Sentence."""
    frames: int
    """Length in frames of the result."""
    guidance_scale: float | None = None
    """Scale of classifier-free guidance; None: that of the whole motion."""
    rate: float = 1.0
    """Speed at which the part is performed: at 2 it takes half the time that the model would give it."""

    def __post_init__(self) -> None:
        if self.frames < FEWEST_FRAMES:
            raise InputError(f"part: expected {FEWEST_FRAMES} frames or more, got {self.frames} for {self.prompt!r}")
        if not _SLOWEST <= self.rate <= _FASTEST:
            raise InputError(f"part: expected a rate of {_SLOWEST:g} to {_FASTEST:g}, got {self.rate:g}")
        if self.guidance_scale is not None and not 0 <= self.guidance_scale < np.inf:
            raise InputError(f"part: expected a guidance scale from 0 on, got {self.guidance_scale:g}")

    @property
    def sampled_frames(self) -> int:
        """Frames that are sampled, of which `rate` makes `frames`."""
        return max(round(self.frames * self.rate), FEWEST_FRAMES)


@dataclass(frozen=True)
class PartText:
    """A prompt with the settings typed after it; None: not given."""

    prompt: str
    seconds: float | None = None
    guidance_scale: float | None = None
    rate: float = 1.0

    @classmethod
    def parse(cls, text: str) -> PartText:
        """`a person walks | 4 | guidance=2 | rate=1.5`: 4 seconds; everything but the sentence may be left out."""
        prompt, *settings = (part.strip() for part in text.split("|"))
        values: dict[str, float] = {}
        for setting in settings:
            if match := _SECONDS.fullmatch(setting):
                name, value = "seconds", match[1]
            elif match := _SETTING.fullmatch(setting):
                name, value = {"guidance": "guidance_scale", "rate": "rate"}[match[1]], match[2]
            else:
                raise InputError(
                    f"text: expected seconds after the bar, as in `a person walks | 4`, or guidance=2 or rate=1.5, "
                    f"got {text.strip()!r}"
                )
            if name in values:
                raise InputError(f"text: expected one value for {name}, got two in {text.strip()!r}")
            values[name] = float(value)
        return cls(prompt, **values)

    def part(self, fps: float, frames: int = 0) -> PromptPart:
        """The part, at this frame rate; frames: its length if no seconds were typed."""
        frames = frames if self.seconds is None else round(self.seconds * fps)
        return PromptPart(self.prompt, frames, self.guidance_scale, self.rate)


def retime(joints: Float[ndarray, "s j 3"], parts: list[PromptPart]) -> Float[ndarray, "t j 3"]:
    """Joints at the parts' rates: from the frames that were sampled to those of the result.

    The rate changes smoothly from part to part; joints are interpolated by cubic splines.
    """
    if all(part.rate == 1.0 for part in parts):
        return joints
    from scipy.interpolate import CubicSpline  # slow to import

    rates = np.concatenate([np.full(part.frames, part.sampled_frames / part.frames) for part in parts])
    smooth = gaussian_in_time(torch.from_numpy(rates)[:, None], _RATE_SIGMA)[:, 0].numpy()
    times = np.concatenate([[0], np.cumsum(smooth[1:])])
    times *= (len(joints) - 1) / times[-1]
    return CubicSpline(np.arange(len(joints)), joints)(times).astype(joints.dtype)
