"""Names of frames' files and images: which video they are of, and the frame's number in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath, PurePosixPath

from crossdiff.errors import InputError
from crossdiff.pipeline.importing.detections import Detection, PoseVideo

_NUMBERED = re.compile(r"(?P<name>.*?)[\W_]*(?P<number>\d+)(_keypoints)?", re.DOTALL)


def frame_of(path: PurePath) -> tuple[str, int] | None:
    """`walk_000000000012_keypoints.json` is `walk`'s frame 12; None for a name without a number at its end."""
    found = _NUMBERED.fullmatch(path.stem)
    # Python refuses to read numbers of thousands of digits; no frame has one of more than 18.
    return (found["name"], int(found["number"])) if found and len(found["number"]) <= 18 else None


def videos_of_images(people: Iterable[tuple[str | int, Sequence[Detection]]]) -> list[PoseVideo]:
    """Videos of images, by folder and by what comes before the number in their names; the people of each image.

    An image that is named more than once has the people of all its entries. A number alone is the frame's.
    """
    videos: dict[tuple[str, str], dict[int, list[Detection]]] = {}
    for image, found in people:
        path = PurePosixPath("" if isinstance(image, int) else image.replace("\\", "/"))
        frame = ("", image) if isinstance(image, int) else frame_of(path)
        if frame is None:
            raise InputError(f"image {image!r}: expected the frame's number at the end of its name")
        name, number = frame
        videos.setdefault((path.parent.as_posix(), name), {}).setdefault(number, []).extend(found)
    if len(videos) == 1:
        return [PoseVideo(frames) for frames in videos.values()]
    alone = [folder for folder, _ in videos]
    return [
        PoseVideo(frames, name=folder if alone.count(folder) == 1 and folder != "." else f"{folder}/{name}")
        for (folder, name), frames in videos.items()
    ]
