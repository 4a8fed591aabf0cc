"""OpenPose's JSON, a file per frame; Pose2Sim, Sports2D, rtmlib and AlphaPose write it too."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field, TypeAdapter

from crossdiff.pipeline.importing.detections import Detection, PoseVideo, flat_detection, track_number
from crossdiff.pipeline.importing.image_names import videos_of_images
from crossdiff.pipeline.importing.schema import Schema, parse

# `bodies` and `joints`: AlphaPose with --format cmu; `pose_keypoints`: OpenPose before 1.2.
_PEOPLE = ("people", "bodies")


class _Person(Schema):
    values: list[float] = Field(validation_alias=AliasChoices("pose_keypoints_2d", "joints", "pose_keypoints"))
    person_id: Any = None


class _Frame(Schema):
    people: list[_Person] = Field(validation_alias=AliasChoices(*_PEOPLE))


_FRAME = TypeAdapter(_Frame)
_FRAMES = TypeAdapter(dict[str, _Frame])


def is_frame(value: Any) -> bool:
    """Whether a JSON value holds the people of one frame."""
    return isinstance(value, dict) and any(name in value for name in _PEOPLE)


def is_frames(value: Any) -> bool:
    """Whether a JSON value holds frames by the names of their images: AlphaPose with --format open or cmu."""
    return isinstance(value, dict) and bool(value) and all(map(is_frame, value.values()))


def read_frame(value: Any) -> list[Detection]:
    return _people(parse(_FRAME, value))


def read_frames(value: Any) -> list[PoseVideo]:
    return videos_of_images((name, _people(frame)) for name, frame in parse(_FRAMES, value).items())


def _people(frame: _Frame) -> list[Detection]:
    people = (flat_detection(p.values, track_number(p.person_id)) for p in frame.people if p.values)
    return [person for person in people if person is not None]
