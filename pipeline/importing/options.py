"""Properties of pose files that the user gives, as the files lack them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crossdiff.errors import InputError
from crossdiff.pipeline.importing.picture import CameraRule
from crossdiff.pipeline.motion2d.mapping import keypoint_set_named


class OptionNeeded(InputError):
    """Nothing can be read without an option from the user."""


@dataclass(frozen=True)
class ImportOptions:
    """How files are read where they do not say it themselves.

    Attributes:
        camera: what to take it for: `still` (without it for keypoints), `unknown`, or `guess` by what the person does
            (without it for JHMDB; see `picture.rests`).
        fps: frames per second; JSON files rarely hold it.
        size: width and height of the picture in pixels; else that of a picture which holds all poses of a clip.
        keypoint_set: name of the set of the keypoints in JSON files; else the usual one of their number.
        y_up: whether y counts upwards, and is to be reversed; None: it does not, and a source in which most people
            are upside down is refused.
    """

    camera: CameraRule | None = None
    fps: float | None = None
    size: tuple[int, int] | None = None
    keypoint_set: str | None = None
    y_up: bool | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise InputError(f"--fps: expected frames per second, got {self.fps:g}")
        if self.keypoint_set is not None:
            keypoint_set_named(self.keypoint_set)


def picture_size(text: str | None) -> tuple[int, int] | None:
    """`1920x1080` as width and height; None stays None."""
    if text is None:
        return None
    if (found := re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text.strip())) is None:
        raise InputError(f"--size {text!r}: expected width and height in pixels, such as 1920x1080")
    return int(found[1]), int(found[2])
