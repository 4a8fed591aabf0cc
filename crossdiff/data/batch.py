"""Windows of clips in both domains, and their batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from crossdiff.errors import ClipError
from crossdiff.moved import moved_names
from crossdiff.types import Domain

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)


@dataclass(frozen=True)
class ClipWindow:
    """A window of a clip. Features are not normalised.

    features: (T, D) per domain.
    trusted: (T, D) per domain, True where the value is used in the loss.
    seen: (T, D2), True where a 2D value may be used as input.
    wild: whether the clip comes from a video.
    has_3d: False for a clip with 2D motion only; its 3D features are zeros and must not be used.
    quality: reliability of the 3D features in [0, 1]; 1 for recorded motion.
    """

    features: dict[Domain, Float[ndarray, "t d"]]
    trusted: dict[Domain, Bool[ndarray, "t d"]]
    seen: Bool[ndarray, "t d2"]
    caption: str
    wild: bool = False
    has_3d: bool = True
    quality: float = 1.0

    def __post_init__(self) -> None:
        lengths = {d: len(x) for d, x in self.features.items()}
        if len(set(lengths.values())) != 1:
            raise ClipError(f"clip: expected as many 2D as 3D frames, got {lengths}")
        for domain, x in self.features.items():
            masks = [self.trusted[domain], *([self.seen] if domain == "2d" else [])]
            if any(mask.shape != x.shape for mask in masks):
                raise ClipError(
                    f"clip: expected {domain} masks of shape {x.shape}, got {', '.join(str(m.shape) for m in masks)}"
                )
        if not 0 <= self.quality <= 1:
            raise ClipError(f"clip: expected a quality in [0, 1], got {self.quality}")

    @property
    def num_frames(self) -> int:
        return len(self.seen)

    def without_3d(self) -> ClipWindow:
        """The same clip without its 3D motion."""
        features = {**self.features, "3d": np.zeros_like(self.features["3d"])}
        trusted = {**self.trusted, "3d": np.zeros_like(self.trusted["3d"])}
        return replace(self, features=features, trusted=trusted, has_3d=False)


@dataclass(frozen=True)
class FilmedBatch:
    """Simulated film of 3D clips of equal length; features are not normalised.

    motion: (B, T, D3), the true motion.
    flat: (B, T, D2), its projection without a detector's errors; trusted: True where that has a meaning.
    observed: (B, T, D2), as a detector finds it; seen: True where it may be used as input.
    """

    motion: Float[Tensor, "b t d3"]
    flat: Float[Tensor, "b t d2"]
    trusted: Bool[Tensor, "b t d2"]
    observed: Float[Tensor, "b t d2"]
    seen: Bool[Tensor, "b t d2"]

    def each(self, change: Callable[[Tensor], Tensor]) -> FilmedBatch:
        return FilmedBatch(*(change(getattr(self, field.name)) for field in fields(self)))


@dataclass(frozen=True)
class MotionBatch:
    """Padded clips: (B, T, D) per domain, not normalised; frames: (B, T), True where real; the rest as in `ClipWindow`.

    lengths: real frames per clip;
    rows: indices in the step's whole batch, of which other devices have the rest;
    filmed: simulated film of other clips, if the training has some.
    """

    features: dict[Domain, Float[Tensor, "b t d"]]
    trusted: dict[Domain, Bool[Tensor, "b t d"]]
    seen: Bool[Tensor, "b t d2"]
    frames: Bool[Tensor, "b t"]
    captions: list[str]
    wild: Bool[Tensor, " b"]
    has_3d: Bool[Tensor, " b"]
    quality: Float[Tensor, " b"]
    lengths: list[int]
    rows: list[int]
    filmed: FilmedBatch | None = None

    def to(self, device: torch.device) -> MotionBatch:
        return self._each(lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> MotionBatch:
        """Pin the memory, for asynchronous copies to a GPU; called by torch's loader."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> MotionBatch:
        return replace(
            self,
            features={d: change(x) for d, x in self.features.items()},
            trusted={d: change(x) for d, x in self.trusted.items()},
            seen=change(self.seen),
            frames=change(self.frames),
            wild=change(self.wild),
            has_3d=change(self.has_3d),
            quality=change(self.quality),
            filmed=None if self.filmed is None else self.filmed.each(change),
        )


def collate(crops: Sequence[ClipWindow], rows: Sequence[int] | None = None) -> MotionBatch:
    """Pad to the longest clip; padded frames are masked everywhere. rows: see `MotionBatch`; None: all."""
    longest = max(c.num_frames for c in crops)
    domains = crops[0].features.keys()
    frames = torch.arange(longest) < torch.tensor([c.num_frames for c in crops])[:, None]
    return MotionBatch(
        {d: _pad([c.features[d] for c in crops], longest) for d in domains},
        {d: _pad([c.trusted[d] for c in crops], longest) for d in domains},
        _pad([c.seen for c in crops], longest),
        frames,
        [c.caption for c in crops],
        torch.tensor([c.wild for c in crops]),
        torch.tensor([c.has_3d for c in crops]),
        torch.tensor([c.quality for c in crops]),
        [c.num_frames for c in crops],
        list(range(len(crops)) if rows is None else rows),
    )


def _pad(arrays: Sequence[ndarray], length: int) -> Tensor:
    padded = np.zeros((len(arrays), length, arrays[0].shape[1]), dtype=arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded)
