"""A clip's keypoints in one npz file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from crossdiff.errors import ClipError, InputError
from crossdiff.files import decoding, load_npz
from crossdiff.pipeline.importing.imports import validate
from crossdiff.pipeline.importing.picture import framed
from crossdiff.types import Keypoints2D

_NEEDED = ("xy", "score", "fps", "keypoint_set")
_OPTIONAL = ("frame", "size", "time", "camera", "camera_known", "world")


def read_keypoints(path: Path) -> Keypoints2D:
    """Keypoints of a person: an npz of xy (F, K, 2), score (F, K), fps and keypoint_set, as `Keypoints2D` says.

    Without `frame` the frames are successive ones; without `size` (width, height) that of a picture which holds all
    poses, moved into it.
    """
    with decoding(path, "keypoints; docs/pipeline.md says what the arrays are"):
        z = load_npz(path, _NEEDED, _OPTIONAL)
        width, height = map(int, z.get("size", np.ones(2)))
        if "camera_known" in z and z["camera_known"].dtype.kind not in "biuf":
            raise ValueError(f"camera_known: expected truth values, got {z['camera_known'].dtype}")
        try:
            found = Keypoints2D(
                xy=z["xy"],
                score=z["score"],
                frame=z.get("frame", np.arange(len(z["xy"]))),
                fps=float(z["fps"]),
                size=(width, height),
                keypoint_set=str(z["keypoint_set"]),
                **{name: z[name] for name in ("time", "camera", "world") if name in z},
                **({"camera_known": z["camera_known"] != 0} if "camera_known" in z else {}),
            )
        except (ClipError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{path}: not keypoints ({error}); docs/pipeline.md says what the arrays are") from None
        found = validate(found)
        found = replace(found, xy=found.xy.astype(np.float32), score=found.score.astype(np.float32))
        return found if "size" in z else framed(found)
