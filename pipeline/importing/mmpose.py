"""mmpose's JSON: lists of frames from its inferencer, and the files of its demo scripts, with names of keypoints."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field, TypeAdapter

from crossdiff.errors import InputError
from crossdiff.pipeline.importing.detections import Detection, PoseVideo, detection, track_number
from crossdiff.pipeline.importing.schema import Schema, parse


class _Instance(Schema):
    keypoints: list[list[float]]
    keypoint_scores: list[float]
    track: Any = Field(None, validation_alias=AliasChoices("track_id", "instance_id", "tracking_id"))


class _PosedFrame(Schema):
    frame_id: int
    instances: list[_Instance]


class _Meta(Schema):
    names: dict[str, str] | list[str] = Field([], validation_alias="keypoint_id2name")
    fps: float | None = None


class _Demo(Schema):
    meta_info: _Meta = _Meta()
    instance_info: list[_PosedFrame]


_INSTANCES, _FRAMES, _DEMO = TypeAdapter(list[_Instance]), TypeAdapter(list[_PosedFrame]), TypeAdapter(_Demo)


def is_frame(value: Any) -> bool:
    """Whether a JSON value is a list of the people of one image."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "keypoint_scores" in value[0]


def is_video(value: Any) -> bool:
    """Whether a JSON value holds the frames of a video."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict) and "instances" in value[0]
    return isinstance(value, dict) and "instance_info" in value


def read_frame(value: Any) -> list[Detection]:
    return _people(parse(_INSTANCES, value))


def read_video(value: Any) -> list[PoseVideo]:
    """The video of a file, as a list."""
    demo = parse(_DEMO, value) if isinstance(value, dict) else _Demo(instance_info=parse(_FRAMES, value))
    frames: dict[int, list[Detection]] = {}
    for frame in demo.instance_info:
        if frame.frame_id in frames:
            raise InputError(f"frame {frame.frame_id} occurs twice; expected one entry for each frame")
        frames[frame.frame_id] = _people(frame.instances)
    return [PoseVideo(frames, _names(demo.meta_info.names), demo.meta_info.fps)]


def _people(instances: list[_Instance]) -> list[Detection]:
    people = (detection(i.keypoints, i.keypoint_scores, track_number(i.track)) for i in instances)
    return [person for person in people if person is not None]


def _names(names: dict[str, str] | list[str]) -> list[str]:
    """Names in the order of their numbers, which are text in JSON."""
    if isinstance(names, list):
        return names
    if sorted(names) != sorted(map(str, range(len(names)))):
        raise InputError("keypoint_id2name: expected a name for each number from 0 on")
    return [names[str(number)] for number in range(len(names))]
