"""BlazePose through MediaPipe's graphs: 33 landmarks with feet for everyone, weights inside its wheel."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import Field

from crossdiff.errors import MissingDependencyError
from crossdiff.files import sha256
from crossdiff.pipeline.backends.base import Person, PoseBackend
from crossdiff.pipeline.backends.following import FollowConfig, Follower, Sighting
from crossdiff.pipeline.backends.regions import Pose, Region, View

VERSION = "0.10.21"
# Later wheels hold no weights, and a download in the middle of a run would not be the file that was tested.
WEIGHTS = {
    "pose_detection/pose_detection.tflite": "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "pose_landmark/pose_landmark_full.tflite": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
# Graphs of one subgraph each, of those that MediaPipe's own graph of one person is made of.
_DETECTOR = """
    input_stream: "image"
    output_stream: "detections"
    node {
      calculator: "PoseDetectionCpu"
      input_stream: "IMAGE:image"
      output_stream: "DETECTIONS:detections"
    }
"""
_LANDMARKS = """
    input_stream: "image"
    input_stream: "points"
    input_side_packet: "model_complexity"
    output_stream: "landmarks"
    output_stream: "auxiliary"
    output_stream: "world"
    node {
      calculator: "ImagePropertiesCalculator"
      input_stream: "IMAGE_CPU:image"
      output_stream: "SIZE:size"
    }
    node {
      calculator: "PoseLandmarksToRoi"
      input_stream: "LANDMARKS:points"
      input_stream: "IMAGE_SIZE:size"
      output_stream: "ROI:region"
    }
    node {
      calculator: "PoseLandmarkByRoiCpu"
      input_stream: "IMAGE:image"
      input_stream: "ROI:region"
      input_side_packet: "MODEL_COMPLEXITY:model_complexity"
      output_stream: "LANDMARKS:landmarks"
      output_stream: "AUXILIARY_LANDMARKS:auxiliary"
      output_stream: "WORLD_LANDMARKS:world"
    }
"""
_SCORED = "poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation"
# Hips and head of somebody in the first image that a graph gets.
_UPRIGHT = ({"x": 0.5, "y": 0.5}, {"x": 0.5, "y": 0.1})
_INSTALL = "pip install 'crossdiff[mediapipe]'"


class MediaPipeConfig(FollowConfig):
    """Settings of the mediapipe backend."""

    detection: float = Field(0.5, ge=0, le=1)
    """Lowest detection score of a new person, whom the landmark model must then confirm."""
    tracking: float = Field(0.5, ge=0, le=1)
    """Lowest landmark score at which a person is still followed."""


class MediaPipeBackend(PoseBackend):
    """The full BlazePose model, following everyone from frame to frame, without its smoothing (which lags)."""

    name = "mediapipe"
    keypoint_set = "blazepose33"

    def __init__(self, cfg: MediaPipeConfig | None = None) -> None:
        self._cfg = cfg or MediaPipeConfig()
        self._mediapipe = _import_mediapipe()
        check_weights(Path(str(self._mediapipe.__file__)).parent / "modules")
        version = self._mediapipe.__version__
        self.identity = {"backend": self.name, "mediapipe": version, **WEIGHTS, **self._cfg.model_dump()}

    def estimate(self, frames: Iterable[np.ndarray]) -> Iterator[list[Person]]:
        for people in Follower(self._model, self._cfg).people(frames):
            yield [Person.from_keypoints(pose.xy, pose.visibility, pose.world) for pose in people]

    @cached_property
    def _model(self) -> _BlazePose:
        """Kept from one video to the next: its graphs hold nothing of a video, and starting them takes long."""
        return _BlazePose(self._cfg)


class _BlazePose:
    """MediaPipe's own detector and landmark graphs, run separately, from any number of threads."""

    def __init__(self, cfg: MediaPipeConfig) -> None:
        self._detector = _Graphs(
            _DETECTOR,
            {"image": _shared(np.zeros((48, 64, 3), np.uint8))},
            calculator_params={"posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": cfg.detection},
        )
        self._landmarks = _Graphs(
            _LANDMARKS,
            {"image": _shared(np.zeros((48, 64, 3), np.uint8)), "points": self._landmark_list(landmark=_UPRIGHT)},
            calculator_params={f"{_SCORED}__ThresholdingCalculator.threshold": cfg.tracking},
            side_inputs={"model_complexity": 1},
        )
        self._placed = False

    def detect(self, frame: np.ndarray, view: View) -> list[Sighting]:
        left, top, right, bottom = view
        found = self._detector.process({"image": _shared(frame[top:bottom, left:right])}).detections or []
        points = [_points(one.location_data.relative_keypoints, (right - left, bottom - top)) for one in found]
        regions = [Region(np.add(four[:2], (left, top))) for four in points]
        return [Sighting(region, one.score[0]) for region, one in zip(regions, found, strict=True)]

    def look(self, frame: np.ndarray, region: Region) -> Pose | None:
        size = (frame.shape[1], frame.shape[0])
        points = self._landmark_list(landmark=[{"x": x, "y": y} for x, y in (region.points / size).tolist()])
        # It warns once, when it first places landmarks.
        with nullcontext() if self._placed else _quiet_stderr():
            found = self._landmarks.process({"image": _shared(frame), "points": points})
        if found.landmarks is None:
            return None
        self._placed = True
        visibility = np.array([p.visibility for p in found.landmarks.landmark])
        world = np.array([(p.x, p.y, p.z) for p in found.world.landmark])
        xy, around = (_points(some.landmark, size) for some in (found.landmarks, found.auxiliary))
        # Keypoints outside the frame are guesses.
        inside = ((xy >= 0) & (xy < size)).all(axis=1)
        return Pose(xy, np.where(inside, visibility, 0.0), world, Region(around))

    @cached_property
    def _landmark_list(self) -> Callable[..., Any]:
        from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

        return NormalizedLandmarkList


class _Graphs:
    """Graphs of one kind, each used by one thread at a time. One is started whenever all others are in use.

    They keep no state from one image to the next, so it does not matter which one gets an image. One that raises an
    error is not used again.
    """

    _STARTING = Lock()

    def __init__(self, config: str, first: dict[str, Any], **settings: Any) -> None:
        self._config, self._first, self._settings = config, first, settings
        self._idle: deque[Any] = deque()

    def process(self, inputs: dict[str, Any]) -> Any:
        try:
            graph = self._idle.pop()
        except IndexError:
            graph = self._start()
        found = graph.process(inputs)
        self._idle.append(graph)
        return found

    def _start(self) -> Any:
        # Standard error belongs to the whole process.
        with self._STARTING, _quiet_stderr():
            from mediapipe.python.solution_base import SolutionBase

            graph = SolutionBase(graph_config=self._config, **self._settings)
            # The graph's threads start and write to stderr until the first image, which is not square, is processed.
            graph.process(self._first)
        return graph


def check_weights(modules: Path) -> None:
    """Raise if the weights in MediaPipe's wheel are missing or differ from the tested ones."""
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


def _shared(image: np.ndarray) -> np.ndarray:
    """The image as a contiguous read-only array, which MediaPipe takes without a copy."""
    image = np.ascontiguousarray(image).view()
    image.flags.writeable = False
    return image


def _points(points: Iterable[Any], size: tuple[int, int]) -> np.ndarray:
    """Normalised points to pixels, shape (n, 2)."""
    return np.array([(p.x, p.y) for p in points]) * size


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Discard what C++ code writes to file descriptor 2; Python's exceptions are not affected."""
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
