"""A clip's keypoints in one npz file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from crossdiff.errors import ClipError, InputError
from crossdiff.files import decoding, load_npz
from crossdiff.pipeline.importing.imports import validate
from crossdiff.pipeline.importing.picture import fit_picture
from crossdiff.types import Keypoints2D

_NEEDED = ("xy", "score", "fps", "keypoint_set")
_OPTIONAL = ("frame", "size", "time", "camera", "camera_known", "world")


def read_keypoints(path: Path) -> Keypoints2D:
    """Read the keypoints of a person: an npz with xy (F, K, 2), score (F, K), fps and keypoint_set; see `Keypoints2D`.

    Without `frame`, the frames are consecutive. Without `size` (width, height), the poses are moved into a picture that
    contains all of them.
    """
    with decoding(path, "keypoints; docs/pipeline.md describes the arrays"):
        z = load_npz(path, _NEEDED, _OPTIONAL)
        width, height = map(int, z.get("size", np.ones(2)))
        if "camera_known" in z and z["camera_known"].dtype.kind not in "biuf":
            raise ValueError(f"camera_known: expected truth values, got {z['camera_known'].dtype}")
        try:
            keypoints = Keypoints2D(
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
            raise InputError(f"{path}: not keypoints ({error}); docs/pipeline.md describes the arrays") from None
        keypoints = validate(keypoints)
        keypoints = replace(keypoints, xy=keypoints.xy.astype(np.float32), score=keypoints.score.astype(np.float32))
        return keypoints if "size" in z else fit_picture(keypoints)
