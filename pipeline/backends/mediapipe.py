"""BlazePose through MediaPipe's legacy solution: one person, 33 landmarks with feet, weights inside its wheel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType

import numpy as np
from pydantic import Field

from crossdiff.config import Config
from crossdiff.errors import MissingDependencyError
from crossdiff.files import sha256
from crossdiff.pipeline.backends.base import Person, PoseBackend

VERSION = "0.10.21"
# Later wheels hold no weights, and a download in the middle of a run would not be the file that was tested.
WEIGHTS = {
    "pose_detection/pose_detection.tflite": "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "pose_landmark/pose_landmark_full.tflite": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
_INSTALL = "pip install 'crossdiff[mediapipe]'"


class MediaPipeConfig(Config):
    """detection, tracking: how sure the model must be that it sees the person, to begin and to go on."""

    detection: float = Field(0.5, ge=0, le=1)
    tracking: float = Field(0.5, ge=0, le=1)


class MediaPipeBackend(PoseBackend):
    """The full BlazePose model, tracking one person from frame to frame, without its smoothing (which lags)."""

    name = "mediapipe"
    keypoint_set = "blazepose33"

    def __init__(self, cfg: MediaPipeConfig | None = None) -> None:
        self._cfg = cfg or MediaPipeConfig()
        self._mediapipe = _import_mediapipe()
        check_weights(Path(str(self._mediapipe.__file__)).parent / "modules")
        version = self._mediapipe.__version__
        self.identity = {"backend": self.name, "mediapipe": version, **WEIGHTS, **self._cfg.model_dump()}

    def estimate(self, frames: Iterable[np.ndarray]) -> Iterator[list[Person]]:
        with _quiet_stderr():
            model = self._mediapipe.solutions.pose.Pose(
                model_complexity=1,
                smooth_landmarks=False,
                min_detection_confidence=self._cfg.detection,
                min_tracking_confidence=self._cfg.tracking,
            )
            # The graph starts, and logs, in threads of its own until a first frame (not a square) has gone through.
            model.process(np.zeros((48, 64, 3), np.uint8))
        seen = False
        with model:
            for frame in frames:
                # It warns once more when it first places landmarks.
                with nullcontext() if seen else _quiet_stderr():
                    found = model.process(frame).pose_landmarks
                seen = seen or found is not None
                yield [] if found is None else [_person(found.landmark, frame.shape[1], frame.shape[0])]


def check_weights(modules: Path) -> None:
    """Raise where the weights in MediaPipe's wheel are missing or are others than those tested."""
    for name, expected in WEIGHTS.items():
        path = modules / name
        found = sha256(path) if path.is_file() else "no file"
        if found != expected:
            raise MissingDependencyError(
                f"{path}: expected sha256 {expected[:12]}..., got {found[:12]}; install mediapipe {VERSION}: {_INSTALL}"
            )


def _import_mediapipe() -> ModuleType:
    try:
        with _quiet_stderr():
            import mediapipe
    except ImportError as error:
        raise MissingDependencyError(f"the mediapipe backend needs mediapipe {VERSION} ({error}): {_INSTALL}") from None
    return mediapipe


def _person(landmarks: Iterable, width: int, height: int) -> Person:
    """Landmarks in shares of the frame to pixels; those outside the frame are guesses and get score 0."""
    values = np.array([(p.x, p.y, p.visibility) for p in landmarks])
    inside = ((values[:, :2] >= 0) & (values[:, :2] < 1)).all(axis=1)
    return Person.from_keypoints(values[:, :2] * (width, height), np.where(inside, values[:, 2], 0.0))


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Send what C++ code writes to file descriptor 2 nowhere; Python's own exceptions are not affected."""
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
