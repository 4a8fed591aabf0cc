"""A tiny folder of film with measured 3D motion, and a pose backend that sees the person in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from clips import shades, write_clip
from synthetic import person

from crossdiff.files import save_npz
from crossdiff.pipeline.backends import Person, PoseBackend
from crossdiff.skeleton import HUMANML3D

FRAMES, FPS = 60, 20
NAMES = (
    "pelvis",
    *(f"{side}_{part}" for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in "lr"),
)
# From the person's axes (Y up, Z towards the camera) to those of the truth (Z up) and of the camera (y down, z away).
TO_TRUTH = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
TO_CAMERA = np.diag([1.0, -1.0, -1.0])


def motion(seed: int) -> np.ndarray:
    """Joints (F, 22, 3) of a person before a static camera: x right, y up, z towards it."""
    return person(FRAMES, seed=seed).double().numpy()


def arrays_of(seed: int, source: str = "walks") -> dict[str, Any]:
    """The arrays of one video, by their names without the video's."""
    joints = motion(seed)[:, [HUMANML3D.index(name) for name in NAMES]]
    return {
        "joints": joints @ TO_TRUTH.T,
        "names": np.array(NAMES),
        "time": np.arange(FRAMES) / FPS,
        "R": TO_CAMERA @ TO_TRUTH.T,
        "up": np.array([0.0, 0.0, 1.0]),
        "source": np.array(source),
    }


def save_truth(folder: Path, videos: dict[str, dict[str, Any]], **more: np.ndarray) -> None:
    arrays = {f"{name}/{key}": value for name, own in videos.items() for key, value in own.items()}
    save_npz(folder / "truth.npz", **arrays, **more)


def write_film(folder: Path) -> Path:
    """Two videos, walk0 and walk1, of two groups; the brightness of the pictures says which one it is."""
    (folder / "videos").mkdir(parents=True)
    for seed in (0, 1):
        write_clip(folder / "videos" / f"walk{seed}.mp4", shades(FRAMES, 40 + 100 * seed, 1), fps=FPS)
    save_truth(folder, {f"walk{seed}": arrays_of(seed, f"group {seed}") for seed in (0, 1)})
    return folder


class FilmedBackend(PoseBackend):
    """Sees the joints of the person from far away; in space too, exactly but for their size. Counts frames."""

    name, keypoint_set = "filmed", "humanml3d22"

    def __init__(self, in_space: bool = True) -> None:
        self.identity = {"backend": "filmed", "in space": in_space}
        self.in_space = in_space
        self.frames = 0

    def estimate(self, frames):
        joints = np.empty(0)
        for number, frame in enumerate(frames):
            if number == 0:
                joints = motion(int(frame.mean() > 90))
            now = joints[number] * (1, -1, -1)
            world = 0.9 * (now - now[:1]) if self.in_space else None
            xy = 15 * now[:, :2] + (20, 40)  # pixels
            self.frames += 1
            yield [Person.from_keypoints(xy, np.full(len(xy), 0.9), world)]
