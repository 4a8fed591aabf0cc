"""Finds the people of one video, which is read as a stream."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.config import Config
from crossdiff.pipeline.backends import Person, PoseBackend
from crossdiff.pipeline.motion2d.mapping import KeypointSet, keypoint_set_named
from crossdiff.pipeline.tracks.appearance import colours
from crossdiff.pipeline.tracks.camera import CameraConfig, CameraTracker
from crossdiff.pipeline.tracks.objects import is_object, picture_change
from crossdiff.pipeline.tracks.shots import ShotConfig, ShotDetector
from crossdiff.pipeline.tracks.tracking import Track, TrackingConfig, link_tracks
from crossdiff.threads import read_ahead
from crossdiff.types import Keypoints2D
from crossdiff.video import FrameSource, VideoInfo, VideoReader
from crossdiff.video.timeline import frame_rate, pauses

# Called with the frames done so far and those that the header declares (0: unknown).
Tick = Callable[[int, int], None]

# Longer side, in pixels, of the frames in which shots and the camera's movement are looked for.
_SMALL = 320


class PeopleConfig(Config):
    """How shots, the camera's movement and tracks are found."""

    shots: ShotConfig = ShotConfig()
    """Cuts between shots."""
    camera: CameraConfig = CameraConfig()
    """The camera's movement."""
    tracking: TrackingConfig = TrackingConfig()
    """Tracks of people."""


@dataclass(frozen=True)
class People:
    """The tracks of one video (one person in one shot each) and video-level statistics."""

    tracks: list[Keypoints2D]
    measures: dict[str, Any]


def find_people(
    video: Path | FrameSource, pose: PoseBackend, cfg: PeopleConfig, tick: Tick, seen: Callable[[], None] = lambda: None
) -> People:
    """Detect and track the people of a video. Raises VideoError if the file cannot be used.

    seen: called after the last tick; joining the people into tracks then takes about a millisecond for each frame.
    """
    opened = VideoReader(video) if isinstance(video, Path) else video
    keypoint_set = keypoint_set_named(pose.keypoint_set)
    scene = _Scene(cfg, opened.info, keypoint_set)
    found: list[list[Person]] = []
    for people in read_ahead(pose.estimate(read_ahead(scene.watch(opened.frames())))):
        scene.add(people)
        found.append(people)
        tick(len(found), opened.info.frames)
    seen()
    time, to_first, cuts = opened.times, scene.to_first, scene.cuts
    after_pause = pauses(time)
    ends = cuts | set(after_pause.tolist())
    tracks = link_tracks(found, time, cfg.tracking, keypoint_set.mirror, to_first, ends, scene.worn)
    tracks = [track for track in tracks if not scene.is_object(track)]
    fps = frame_rate(time, after_pause, default=opened.info.fps)
    measures = {
        "frames": len(found),
        "decoded": _share(opened.decoded),
        "fps": round(fps, 4),
        "width": opened.info.size[0],
        "height": opened.info.size[1],
        "shots": len(cuts) + 1,
        "camera_known": round(float(np.mean(scene.camera.known)), 4),
        "tracks": len(tracks),
    }
    breaks = np.cumsum(~np.array(scene.camera.known))
    return People([_keypoints(t, fps, pose, opened.info, time, to_first, breaks) for t in tracks], measures)


def _share(decoded: float) -> float:
    """Rounded down, so that only an intact video has 1."""
    return math.floor(1e4 * decoded) / 1e4


class _Scene:
    """Shots, camera and clothing colours, from small copies of the frames that pass to the pose backend."""

    def __init__(self, cfg: PeopleConfig, video: VideoInfo, keypoint_set: KeypointSet) -> None:
        self.worn: list[Float[ndarray, "p 6"]] = []
        self._change: list[Float[ndarray, " p"]] = []
        self._grey: ndarray | None = None
        self._keypoint_set = keypoint_set
        self.shots = ShotDetector(cfg.shots, video.fps)
        self.camera = CameraTracker(cfg.camera)
        longer = max(video.size)
        self._size = [max(1, round(side * min(1.0, _SMALL / longer))) for side in video.size]
        self._zoom = np.array(self._size) / video.size
        self._waiting: deque[ndarray] = deque()

    def watch(self, frames: Iterable[ndarray]) -> Iterator[ndarray]:
        """Pass on frames; each small copy waits until the people of its frame are known."""
        import cv2

        for frame in frames:
            # Averaging over areas would take five times as long and change nothing that is looked for here.
            small = cv2.resize(frame, self._size, interpolation=cv2.INTER_LINEAR)
            self.shots.add(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
            self._waiting.append(small)
            yield frame

    def add(self, people: list[Person]) -> None:
        """The people of the frame that has waited longest."""
        import cv2

        small = self._waiting.popleft()
        people = [replace(p, xy=p.xy * self._zoom, box=p.box * np.tile(self._zoom, 2)) for p in people]
        self.worn.append(colours(small, people, self._keypoint_set))
        boxes = np.array([p.box for p in people]).reshape(-1, 4)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        self.camera.add(grey, boxes)
        smooth = cv2.blur(grey, (3, 3))
        unknown = np.full(len(people), np.nan)
        self._change.append(unknown if self._grey is None else picture_change(self._grey, smooth, boxes))
        self._grey = smooth

    def is_object(self, track: Track) -> bool:
        """Whether a track shows an object, not a person."""
        change = [self._change[frame][place] for frame, place in zip(track.frames, track.places, strict=True)]
        return is_object(np.array(track.frames), np.stack([p.xy for p in track.people]), np.array(change))

    @property
    def cuts(self) -> set[int]:
        """First frames of new shots. If the background stays the same, only the light changed."""
        return {frame for frame in self.shots.cuts if not self.camera.known[frame]}

    @property
    def to_first(self) -> Float[ndarray, "f 3 3"]:
        """Maps from the pixels of each frame to those of the video's first."""
        zoom = np.diag([*self._zoom, 1.0])
        return np.linalg.inv(zoom) @ np.stack(self.camera.to_first) @ zoom


def _keypoints(
    track: Track, fps: float, pose: PoseBackend, video: VideoInfo, time: ndarray, to_first: ndarray, breaks: ndarray
) -> Keypoints2D:
    """A track as it is stored. breaks: for each frame, the number of unknown camera movements so far."""
    frame = np.array(track.frames, dtype=np.int32)
    return Keypoints2D(
        xy=np.stack([p.xy for p in track.people]).astype(np.float32),
        score=np.stack([p.score for p in track.people]).astype(np.float32),
        frame=frame,
        fps=fps,
        size=video.size,
        keypoint_set=pose.keypoint_set,
        time=time[frame],
        camera=(np.linalg.inv(to_first[frame[0]]) @ to_first[frame])[:, :2].astype(np.float32),
        camera_known=np.diff(breaks[frame], prepend=breaks[frame[0]]) == 0,
        world=np.stack([p.world for p in track.people]).astype(np.float32),
    )
