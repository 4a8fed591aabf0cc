"""Top-down backends: they detect people and then the keypoints of each, in small batches of frames."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from pydantic import Field

from crossdiff.config import Config
from crossdiff.device import pick_device
from crossdiff.pipeline.backends.base import Person, PoseBackend
from crossdiff.pipeline.backends.detector import PersonDetector

# One person of one frame: the frame, and the box in it.
PersonCrop = tuple[ndarray, Float[ndarray, "4"]]


class TopDownConfig(Config):
    """Settings shared by the backends that detect people first."""

    detector: str = "PekingU/rtdetr_r50vd_coco_o365"
    """Person detector: hub id or folder."""
    threshold: float = Field(0.5, gt=0, lt=1)
    """Lowest score of a detected person."""
    batch_size: int = Field(8, ge=1)
    """Number of frames in a batch of the detector."""
    crop_batch_size: int = Field(32, ge=1)
    """Number of people in a batch of the pose network."""
    flip: bool = False
    """Average with the mirrored picture: slightly more accurate, twice the time."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto is bfloat16 on GPUs and float32 on CPUs."""


class TopDownBackend(PoseBackend):
    """Boxes from `PersonDetector`, keypoints from `keypoints`. `identity` holds weight hashes, not paths."""

    def __init__(self, cfg: TopDownConfig) -> None:
        self.cfg = cfg
        self.device = torch.device(pick_device(cfg.device))
        self.on_gpu = self.device.type != "cpu"
        auto = "float32" if self.device.type == "cpu" else "bfloat16"
        self.precision = auto if cfg.precision == "auto" else cfg.precision
        self.detector = PersonDetector(cfg.detector, cfg.threshold, self.device)
        self.identity = {
            "backend": self.name,
            "torch": torch.__version__,
            "detector": self.detector.fingerprint,
            "threshold": cfg.threshold,
            "flip": cfg.flip,
            "precision": self.precision,
        }

    @abstractmethod
    def keypoints(self, crops: Sequence[PersonCrop]) -> tuple[Float[ndarray, "n k 2"], Float[ndarray, "n k"]]:
        """Positions in the pixels of each crop's frame, and heights of the heat maps' peaks."""

    def estimate(self, frames: Iterable[ndarray]) -> Iterator[list[Person]]:
        stream = iter(frames)
        while batch := list(islice(stream, self.cfg.batch_size)):
            with self._autocast():
                people = self._people(batch)
            del batch  # before the next ones are decoded
            yield from people

    def _people(self, frames: list[ndarray]) -> list[list[Person]]:
        boxes = self.detector.boxes(frames)
        crops = [(frame, box) for frame, those in zip(frames, boxes, strict=True) for box in those]
        people = []
        for start in range(0, len(crops), self.cfg.crop_batch_size):
            part = crops[start : start + self.cfg.crop_batch_size]
            people += [_person(*one) for one in zip(part, *self.keypoints(part), strict=True)]
        rest = iter(people)
        return [list(islice(rest, len(those))) for those in boxes]

    def _autocast(self) -> AbstractContextManager:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def _person(crop: PersonCrop, xy: Float[ndarray, "k 2"], peak: Float[ndarray, " k"]) -> Person:
    """Peaks are about 1 if the network is certain; keypoints outside the frame are guesses and get score 0."""
    frame, box = crop
    inside = ((xy >= 0) & (xy < frame.shape[1::-1])).all(axis=1)
    return Person(xy, np.where(inside, np.clip(peak, 0, 1), 0), box)
