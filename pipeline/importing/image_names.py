"""Video and frame number from the names of images and of frame files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath, PurePosixPath

from crossdiff.errors import InputError
from crossdiff.pipeline.importing.detections import Detection, PoseVideo

_NUMBERED = re.compile(r"(?P<name>.*?)[\W_]*(?P<number>\d+)(_keypoints)?", re.DOTALL)


def frame_of(path: PurePath) -> tuple[str, int] | None:
    """(walk, 12) for `walk_000000000012_keypoints.json`; None for a name without a number at its end."""
    match = _NUMBERED.fullmatch(path.stem)
    # Python refuses to read numbers of thousands of digits; no frame has one of more than 18.
    return (match["name"], int(match["number"])) if match and len(match["number"]) <= 18 else None


def videos_of_images(people: Iterable[tuple[str | int, Sequence[Detection]]]) -> list[PoseVideo]:
    """Videos of images, grouped by folder and by the part of the name before the frame number.

    people: image, as its name or just the frame's number, and the people in it; the people of several entries of an
    image are combined.
    """
    videos: dict[tuple[str, str], dict[int, list[Detection]]] = {}
    for image, in_image in people:
        path = PurePosixPath("" if isinstance(image, int) else image.replace("\\", "/"))
        frame = ("", image) if isinstance(image, int) else frame_of(path)
        if frame is None:
            raise InputError(f"image {image!r}: expected the frame's number at the end of its name")
        name, number = frame
        videos.setdefault((path.parent.as_posix(), name), {}).setdefault(number, []).extend(in_image)
    if len(videos) == 1:
        return [PoseVideo(frames) for frames in videos.values()]
    folders = [folder for folder, _ in videos]
    return [
        PoseVideo(frames, name=folder if folders.count(folder) == 1 and folder != "." else f"{folder}/{name}")
        for (folder, name), frames in videos.items()
    ]
