"""Tiny videos, a synthetic person, and a backend without a network, for the tests of this folder."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from crossdiff.pipeline.backends import Person, PoseBackend
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33
from crossdiff.types import Keypoints2D

SHARED = Path(__file__).parents[3] / "shared"

# A person facing the camera, in body heights, y down, origin at the top left of the body.
_STANDING = {
    "ear": (0.05, 0.08), "eye": (0.03, 0.06), "mouth": (0.02, 0.1), "shoulder": (0.12, 0.2), "elbow": (0.16, 0.36),
    "wrist": (0.18, 0.5), "hip": (0.08, 0.5), "knee": (0.08, 0.74), "ankle": (0.08, 0.95), "heel": (0.07, 0.98),
    "foot": (0.12, 1.0),
}  # fmt: skip


def standing(height: float = 100.0, centre: tuple[float, float] = (80.0, 20.0)) -> np.ndarray:
    """BlazePose keypoints in pixels, shape (33, 2): the person's left is at the image's right."""
    points = []
    for name in BLAZEPOSE33.names:
        part = next((offset for key, offset in _STANDING.items() if key in name), (0.0, 0.07))
        if any(finger in name for finger in ("pinky", "index", "thumb")) and "foot" not in name:
            part = (0.18, 0.53)
        side = 1 if "left" in name else -1 if "right" in name else 0
        points.append((side * part[0], part[1]))
    return np.array(points) * height + np.array(centre)


def waving(frames: int, fps: float = 20.0, height: float = 100.0) -> np.ndarray:
    """Keypoints of a person who moves both wrists up and down once a second, shape (frames, 33, 2)."""
    xy = np.repeat(standing(height)[None], frames, axis=0)
    wrists = [BLAZEPOSE33.names.index(f"{side}_wrist") for side in ("left", "right")]
    knees = [BLAZEPOSE33.names.index(f"{side}_knee") for side in ("left", "right")]
    wave = np.sin(2 * np.pi * np.arange(frames) / fps) * height
    xy[:, wrists, 1] += 0.2 * wave[:, None]
    xy[:, knees, 0] += 0.05 * wave[:, None]
    return xy


def keypoints(xy: np.ndarray, fps: float = 20.0, score: float = 0.9, frame: np.ndarray | None = None) -> Keypoints2D:
    return Keypoints2D(
        xy=xy.astype(np.float32),
        score=np.full(xy.shape[:2], score, np.float32),
        frame=np.arange(len(xy)) if frame is None else frame,
        fps=fps,
        size=(160, 140),
        keypoint_set="blazepose33",
    )


# Shades of videos, and how many frames a wave of the hands takes in each.
GREY, STEP = 92, 9
PERIODS = (34, 24, 41, 15, 20, 27, 30, 37)


class FakeBackend(PoseBackend):
    """Sees the waving person in every frame that is not black; counts the frames it was shown.

    How fast the waving is depends on the shade a video begins with: people who all wave the same are duplicates.
    """

    name = "fake"
    keypoint_set = "blazepose33"

    def __init__(self) -> None:
        self.identity = {"backend": "fake"}
        self.frames = 0

    def estimate(self, frames):
        poses = waving(1000)
        for number, frame in enumerate(frames):
            if number == 0:
                poses = waving(1000, PERIODS[round((frame.mean() - GREY) / STEP) % len(PERIODS)])
            self.frames += 1
            seen = frame.mean() > 10
            yield [Person.from_keypoints(poses[number], np.full(33, 0.9))] if seen else []


def texture(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A picture full of corners, shape (height, width, 3), around 0. size: (width, height)."""
    blocks = np.random.default_rng(seed).integers(-90, 90, (size[1] // 8 + 1, size[0] // 8 + 1, 1))
    picture = np.kron(blocks, np.ones((8, 8, 3), int))[: size[1], : size[0]]
    return picture - round(picture.mean())


def write_video(path: Path, frames: int = 60, fps: float = 20.0, grey: int | None = None, size=(160, 140)) -> Path:
    """A room that gets a little brighter and darker again; black where `grey` is 0.

    Without `grey` the shade goes by the file's name.
    """
    if grey is None:
        grey = shade_of(path.stem)
    room = texture(size) + grey if grey else np.zeros((size[1], size[0], 3), int)
    return write_frames(path, (room + n % 7 if grey else room for n in range(frames)), fps)


def shade_of(name: str) -> int:
    return GREY + STEP * (sum(name.encode()) % len(PERIODS))


def write_frames(path: Path, frames: Iterable[np.ndarray], fps: float = 20.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = frames
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (first.shape[1], first.shape[0]))
    assert writer.isOpened()
    for frame in (first, *rest):
        writer.write(frame.clip(0, 255).astype(np.uint8))
    writer.release()
    return path
