"""The published 2D poses of JHMDB (Jhuang et al., ICCV 2013) in one npz file, as clips for import."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.files import load_npz
from crossdiff.pipeline.importing.imports import ImportedClip
from crossdiff.pipeline.motion2d.mapping import JHMDB15
from crossdiff.types import Keypoints2D

JHMDB_ARRAYS = ("pose", "offsets", "label", "joint_names")
FPS = 25.0
# The dataset's `pos_world`: offsets from the picture's middle over its height (both axes: forearms that lie across the
# picture measure 0.98 of upright ones, and would measure 0.75 were x a share of its width), over the person's scale in
# that frame. The scale is not in the file, so neither the picture's borders nor the zoom can be had back: the picture
# is taken for one in which the person's scale is 1.
_HEIGHT = 240.0
_SIDES = {"r_": "right_", "l_": "left_"}
_STILL = 2.0  # degrees by which the shins turn in a clip, at most, where nobody moved the puppet's legs


def read_jhmdb(path: Path) -> list[ImportedClip]:
    """Clips `walk_0341` ...: pose (N, 15, 2), of all clips behind each other; offsets (C + 1,), where each begins.

    Keypoints in pixels of a picture of 240 rows and of unknown size, the middle at (0, 0). Score 1, and 0 for legs that
    do not move (see `untouched_legs`).
    """
    z = load_npz(path, JHMDB_ARRAYS)
    pose, offsets, labels, names = (z[name] for name in JHMDB_ARRAYS)
    given = [f"{_SIDES.get(str(n)[:2], str(n)[:2])}{str(n)[2:]}" for n in names]
    if sorted(given) != sorted(JHMDB15.names):
        raise InputError(f"{path}: expected the joints {', '.join(JHMDB15.names)}, got {', '.join(given)}")
    whole = pose.ndim == 3 and pose.shape[1:] == (len(given), 2) and offsets.shape == (len(labels) + 1,)
    if not (whole and offsets[0] == 0 and offsets[-1] == len(pose) and (np.diff(offsets) > 0).all()):
        raise InputError(
            f"{path}: expected pose (N, {len(given)}, 2), offsets increasing from 0 to N, a label for each clip; "
            f"got pose {pose.shape}, {len(offsets)} offsets and {len(labels)} labels"
        )
    pose = pose[:, [given.index(name) for name in JHMDB15.names]]
    cuts = zip(offsets[:-1], offsets[1:], labels, strict=True)
    return [_clip(pose[a:b], str(label), number) for number, (a, b, label) in enumerate(cuts)]


def _clip(pose: Float[ndarray, "f 15 2"], label: str, number: int) -> ImportedClip:
    xy = (_HEIGHT * pose).astype(np.float32)
    score = np.isfinite(xy).all(axis=-1).astype(np.float32)
    score[:, untouched_legs(xy)] = 0
    keypoints = Keypoints2D(xy, score, np.arange(len(xy)), FPS, (1, 1), JHMDB15.name)
    return ImportedClip(f"{label}_{number:04d}", keypoints, label=label)


def untouched_legs(xy: Float[ndarray, "f 15 2"]) -> list[int]:
    """Knees and ankles, as indices, of a clip in which neither shin turns.

    Where the picture ends above the knees, the puppet's legs hang as they do when it is new. In 124 of 609 clips,
    nearly all of them of clapping, pouring and waving, both shins turn by less than 2 degrees; of the other actions'
    clips, 19 in 20 have one that turns by more than 7. The hips of those 124 lie 0.34 below the picture's middle
    (median), those of the others 0.13.
    """
    knees, ankles = (
        [JHMDB15.names.index(f"{side}_{part}") for side in ("left", "right")] for part in ("knee", "ankle")
    )
    shins = xy[:, ankles] - xy[:, knees]
    turn = np.ptp(np.unwrap(np.arctan2(shins[..., 1], shins[..., 0]), axis=0), axis=0)
    return [*knees, *ankles] if (turn < np.radians(_STILL)).all() else []
