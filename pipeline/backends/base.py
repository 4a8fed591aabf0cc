"""The interface of pose estimators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import ClipError


@dataclass(frozen=True)
class Person:
    """One person in one frame.

    Attributes:
        xy: pixel positions, shape (K, 2), y down, possibly outside the frame.
        score: shape (K,), in [0, 1]; 0 for keypoints outside the frame.
        box: (left, top, right, bottom) in pixels.
        world: metres, shape (K, 3), x right, y down, z away from the camera, origin between the hips; (0, 3) if the
            backend gives none.
    """

    xy: Float[ndarray, "k 2"]
    score: Float[ndarray, " k"]
    box: Float[ndarray, "4"]
    world: Float[ndarray, "k3 3"] = field(default_factory=lambda: np.empty((0, 3)))

    def __post_init__(self) -> None:
        if self.xy.ndim != 2 or self.xy.shape[1] != 2 or self.score.shape != self.xy.shape[:1]:
            raise ClipError(f"person: expected (K, 2) with (K,) scores, got {self.xy.shape}, {self.score.shape}")
        if self.box.shape != (4,):
            raise ClipError(f"person: expected a box of 4 values, got {self.box.shape}")
        if self.world.shape not in ((len(self.xy), 3), (0, 3)):
            raise ClipError(f"person: expected world {(len(self.xy), 3)} or (0, 3), got {self.world.shape}")

    @classmethod
    def from_keypoints(cls, xy: ndarray, score: ndarray, world: ndarray | None = None) -> Person:
        """A person whose box is that of the keypoints."""
        box = np.concatenate([xy.min(axis=0), xy.max(axis=0)])
        return cls(xy, score, box) if world is None else cls(xy, score, box, world)


class PoseBackend(ABC):
    """Finds people in frames, independently in every video.

    Attributes:
        name: name on the command line.
        keypoint_set: a key of `pipeline.motion2d.mapping.KEYPOINT_SETS`.
        identity: everything that the result depends on (versions, weights), as JSON-like values; when it changes,
            videos are extracted again.
        on_gpu: whether it runs on a GPU, which has room for few processes.
    """

    name: str
    keypoint_set: str
    identity: dict[str, Any]
    on_gpu: bool = False

    @abstractmethod
    def estimate(self, frames: Iterable[ndarray]) -> Iterator[list[Person]]:
        """The people of each frame of one video. frames: RGB, uint8, shape (height, width, 3)."""
