"""Joining the people of single frames into tracks, none of which mixes two people."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat
from scipy.optimize import linear_sum_assignment

from crossdiff.config import Config
from crossdiff.pipeline.backends.base import Person
from crossdiff.types import Keypoints2D


class TrackingConfig(Config):
    """When a person in one frame is the person of an earlier one.

    The centre of the box may move by `slack` body sizes (jitter, a limb stretched out) and `max_speed` body sizes
    per second; its size may change by the factor `max_scale`; a track ends after `max_gap` seconds unseen. After
    any frame unseen the boxes must also overlap by `min_iou` (intersection over union): a single-person detector
    that has lost its person finds whoever is near. Anything beyond starts a new track.
    """

    slack: NonNegativeFloat = 0.25
    max_speed: NonNegativeFloat = 4.0
    max_scale: PositiveFloat = 1.6
    max_gap: NonNegativeFloat = 0.25
    min_iou: NonNegativeFloat = 0.5


@dataclass
class Track:
    """One person's way through a video so far."""

    frames: list[int] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)

    def add(self, frame: int, person: Person) -> None:
        self.frames.append(frame)
        self.people.append(person)

    def keypoints(self, fps: float, size: tuple[int, int], keypoint_set: str) -> Keypoints2D:
        return Keypoints2D(
            xy=np.stack([p.xy for p in self.people]).astype(np.float32),
            score=np.stack([p.score for p in self.people]).astype(np.float32),
            frame=np.array(self.frames, dtype=np.int32),
            fps=fps,
            size=size,
            keypoint_set=keypoint_set,
        )


class Tracker:
    """Fed frame by frame; `tracks` holds every track in the order of their first frames."""

    def __init__(self, cfg: TrackingConfig, fps: float) -> None:
        self.cfg = cfg
        self.fps = fps
        self.tracks: list[Track] = []

    def add(self, frame: int, people: list[Person]) -> None:
        """Give each person to the open track it continues best, or to a new one."""
        # Neighbouring frames are always within reach, however low the frame rate.
        longest = max(1.0, self.cfg.max_gap * self.fps)
        open_tracks = [t for t in self.tracks if frame - t.frames[-1] <= longest]
        cost = np.array([[self._cost(track, frame, p) for p in people] for track in open_tracks])
        taken = set()
        if cost.size:
            # A forbidden pair costs more than all allowed ones together.
            for i, j in zip(*linear_sum_assignment(np.minimum(cost, 1e6)), strict=True):
                if np.isfinite(cost[i, j]):
                    open_tracks[i].add(frame, people[j])
                    taken.add(j)
        for j, person in enumerate(people):
            if j not in taken:
                self.tracks.append(Track([frame], [person]))

    def _cost(self, track: Track, frame: int, person: Person) -> float:
        """Share of the allowed shift that the person would have made; infinite beyond the limits."""
        before, after = track.people[-1].box, person.box
        size = max(_size(before), 1.0)
        scale = max(_size(after), 1.0) / size
        allowed = size * (self.cfg.slack + self.cfg.max_speed * (frame - track.frames[-1]) / self.fps)
        lost = frame - track.frames[-1] > 1
        if lost and box_iou(before, after) < self.cfg.min_iou:
            return float("inf")
        shift = float(np.linalg.norm(_centre(after) - _centre(before)))
        if shift > allowed or max(scale, 1 / scale) > self.cfg.max_scale:
            return float("inf")
        return shift / max(allowed, 1e-6)


def box_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two (left, top, right, bottom) boxes."""
    overlap = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - overlap
    return float(overlap / union) if union > 0 else 0.0


def _centre(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2


def _size(box: np.ndarray) -> float:
    return float((box[2:] - box[:2]).max())
