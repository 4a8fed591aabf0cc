"""One video, read as a stream, to the people in it: the work that extraction does for each video by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossdiff.config import Config
from crossdiff.pipeline.backends import PoseBackend
from crossdiff.pipeline.tracking import Tracker, TrackingConfig
from crossdiff.pipeline.video import FrameSource, Video
from crossdiff.types import Keypoints2D

# Called with the frames done so far and those that the header declares (0: unknown).
Tick = Callable[[int, int], None]


class PeopleConfig(Config):
    """What decides, beside the pose backend, which tracks a video gives."""

    tracking: TrackingConfig = TrackingConfig()


@dataclass(frozen=True)
class People:
    """The tracks of one video, each one person in one shot, and what there is to say about the video itself."""

    tracks: list[Keypoints2D]
    measures: dict[str, Any]


def find_people(video: Path | FrameSource, pose: PoseBackend, cfg: PeopleConfig, tick: Tick) -> People:
    """Detect and track the people of a video. Raises an error of its own kind where the file cannot be used."""
    opened = Video(video) if isinstance(video, Path) else video
    fps, size = opened.info.fps, opened.info.size
    tracker, frames = Tracker(cfg.tracking, fps), 0
    for people in pose.estimate(opened.frames()):
        tracker.add(frames, people)
        frames += 1
        tick(frames, opened.info.frames)
    tracks = [track.keypoints(fps, size, pose.keypoint_set) for track in tracker.tracks]
    measures = {"frames": frames, "fps": fps, "width": size[0], "height": size[1], "tracks": len(tracks)}
    return People(tracks, measures)
