"""Properties of pose files that the files lack and the user gives."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crossdiff.annotations.actions import CaptionPart
from crossdiff.errors import InputError
from crossdiff.pipeline.importing.picture import CameraRule
from crossdiff.pipeline.motion2d.mapping import keypoint_set_named


class OptionNeeded(InputError):
    """The files cannot be read without an option from the user."""


@dataclass(frozen=True)
class ImportOptions:
    """Properties that files may lack."""

    camera: CameraRule | None = None
    """The camera's movement: `still`, `unknown`, or `guess`ed from the person's motion (see `picture.is_camera_still`).
    None: `guess` for JHMDB, else `still`."""
    fps: float | None = None
    """Frames per second, which JSON files rarely hold, and JHMDB's file does not (25)."""
    size: tuple[int, int] | None = None
    """Width and height of the picture in pixels. None: a picture that contains all poses of a clip."""
    keypoint_set: str | None = None
    """Name of the set of the keypoints in JSON files. None: the usual one with their number."""
    y_up: bool | None = None
    """Whether y counts upwards, and is reversed. None: it does not, and a source with most people upside down is
    refused."""
    hold_out_captions: bool = False
    """Leave out every fifth caption of an action's label, so that a model can be tested on sentences that it never
    saw. Captions from files are all used."""

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise InputError(f"--fps: expected frames per second, got {self.fps:g}")
        if self.keypoint_set is not None:
            keypoint_set_named(self.keypoint_set)

    @property
    def caption_part(self) -> CaptionPart:
        """The part of a label's captions that clips get."""
        return "train" if self.hold_out_captions else "all"


def picture_size(text: str | None) -> tuple[int, int] | None:
    """`1920x1080` as width and height; None stays None."""
    if text is None:
        return None
    if (match := re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text.strip())) is None:
        raise InputError(f"--size {text!r}: expected width and height in pixels, such as 1920x1080")
    return int(match[1]), int(match[2])
