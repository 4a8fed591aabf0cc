"""COCO's JSON of keypoints: annotations (also PoseTrack's) and results (also AlphaPose's)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import AliasChoices, Field, TypeAdapter

from crossdiff.errors import InputError
from crossdiff.pipeline.importing.detections import Detection, PoseVideo, flat_detection, track_number
from crossdiff.pipeline.importing.image_names import videos_of_images
from crossdiff.pipeline.importing.schema import Schema, parse


class _Entry(Schema):
    """A person in an image. AlphaPose calls the track `idx`."""

    image_id: int | str
    category_id: int | None = None
    keypoints: list[float] = Field(default_factory=list)
    track: Any = Field(None, validation_alias=AliasChoices("track_id", "instance_id", "idx"))
    iscrowd: int = 0


class _Image(Schema):
    id: int | str
    file_name: str | None = None
    width: int | None = None
    height: int | None = None


class _Category(Schema):
    id: int
    keypoints: list[str] = Field(default_factory=list)


class _Annotations(Schema):
    images: list[_Image]
    annotations: list[_Entry]
    categories: list[_Category] = Field(default_factory=list)


_ENTRIES = TypeAdapter(list[_Entry])
_ANNOTATIONS = TypeAdapter(_Annotations)


def is_results(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "image_id" in value[0]


def is_annotations(value: Any) -> bool:
    return isinstance(value, dict) and "annotations" in value


def read_results(value: Any) -> list[PoseVideo]:
    """Videos from a list of people, each with the image that shows the person."""
    entries = _as_scores(parse(_ENTRIES, value))
    return videos_of_images((e.image_id, _people(e)) for e in entries)


def read_annotations(value: Any) -> list[PoseVideo]:
    """Videos of annotated images; images without people are frames too."""
    file = parse(_ANNOTATIONS, value)
    images = {image.id: image for image in file.images}
    if stray := next((e for e in file.annotations if e.image_id not in images), None):
        raise InputError(f"an annotation is of image {stray.image_id!r}, which is not among the images")
    named = [(image.file_name or image.id, image) for image in file.images]
    people: dict[int | str, list[Detection]] = {image.id: [] for image in file.images}
    for entry in _as_scores([e for e in file.annotations if e.keypoints and not e.iscrowd]):
        people[entry.image_id] += _people(entry)
    names = _names(file)
    sizes = {(image.width, image.height) for image in file.images if image.width and image.height}
    size = next(iter(sizes)) if len(sizes) == 1 else None
    videos = videos_of_images((name, people[image.id]) for name, image in named)
    return [replace(video, names=names, size=size) for video in videos]


def _names(file: _Annotations) -> Sequence[str]:
    """Names of the keypoints, from the category of the annotations."""
    used = {e.category_id for e in file.annotations if e.keypoints}
    return next((c.keypoints for c in file.categories if c.keypoints and c.id in used), [])


def _people(entry: _Entry) -> list[Detection]:
    person = flat_detection(entry.keypoints, track_number(entry.track)) if entry.keypoints else None
    return [person] if person is not None else []


def _as_scores(entries: list[_Entry]) -> list[_Entry]:
    """Entries with scores in place of COCO's flags: 0 (not labelled) stays 0; 1 (occluded) and 2 (visible) become 1.

    The values are flags if all are 0, 1 or 2. Annotators also place occluded keypoints.
    """
    scores = [np.array(e.keypoints[2::3]) for e in entries]
    if not all(np.isin(s, (0, 1, 2)).all() for s in scores):
        return entries
    for entry in entries:
        entry.keypoints[2::3] = [min(flag, 1) for flag in entry.keypoints[2::3]]
    return entries
