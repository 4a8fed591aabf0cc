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
# The dataset's `pos_world`: offsets from the centre of the picture, divided by its height and by the person's scale in
# the frame. (x is divided by the height too: horizontal forearms then measure 0.98 of vertical ones, else 0.75.) The
# scale is not in the file, so the borders of the picture and the zoom cannot be recovered: a scale of 1 is assumed.
_HEIGHT = 240.0
_SIDES = {"r_": "right_", "l_": "left_"}
_STILL = 2.0  # largest rotation of the shins, in degrees, in a clip whose legs were not annotated


def read_jhmdb(path: Path) -> list[ImportedClip]:
    """Read clips and name them `walk_0341` etc.

    The file has `pose` (N, 15, 2), all clips in sequence, and `offsets` (C + 1,), where each of them starts. Keypoints
    are in pixels of a picture 240 pixels high, of unknown borders, with the origin at its centre. Scores are 1, and 0
    for legs that were not annotated (see `untouched_legs`).
    """
    z = load_npz(path, JHMDB_ARRAYS)
    pose, offsets, labels, names = (z[name] for name in JHMDB_ARRAYS)
    joints = [f"{_SIDES.get(str(n)[:2], str(n)[:2])}{str(n)[2:]}" for n in names]
    if sorted(joints) != sorted(JHMDB15.names):
        raise InputError(f"{path}: expected the joints {', '.join(JHMDB15.names)}, got {', '.join(joints)}")
    whole = pose.ndim == 3 and pose.shape[1:] == (len(joints), 2) and offsets.shape == (len(labels) + 1,)
    if not (whole and offsets[0] == 0 and offsets[-1] == len(pose) and (np.diff(offsets) > 0).all()):
        raise InputError(
            f"{path}: expected pose (N, {len(joints)}, 2), offsets increasing from 0 to N, a label for each clip; "
            f"got pose {pose.shape}, {len(offsets)} offsets and {len(labels)} labels"
        )
    pose = pose[:, [joints.index(name) for name in JHMDB15.names]]
    cuts = zip(offsets[:-1], offsets[1:], labels, strict=True)
    return [_clip(pose[a:b], str(label), number) for number, (a, b, label) in enumerate(cuts)]


def _clip(pose: Float[ndarray, "f 15 2"], label: str, number: int) -> ImportedClip:
    xy = (_HEIGHT * pose).astype(np.float32)
    score = np.isfinite(xy).all(axis=-1).astype(np.float32)
    score[:, untouched_legs(xy)] = 0
    keypoints = Keypoints2D(xy, score, np.arange(len(xy)), FPS, (1, 1), JHMDB15.name)
    return ImportedClip(f"{label}_{number:04d}", keypoints, label=label)


def untouched_legs(xy: Float[ndarray, "f 15 2"]) -> list[int]:
    """Indices of knees and ankles if neither shin rotates in the clip, else none.

    If the picture ends above the knees, the puppet's legs keep their initial pose. In 124 of 609 clips, nearly all of
    clapping, pouring and waving, both shins rotate by less than 2 degrees; in 19 of 20 clips of other actions, one
    rotates by more than 7. The hips in these 124 clips are 0.34 below the centre of the picture (median), in the others
    0.13.
    """
    knees, ankles = (
        [JHMDB15.names.index(f"{side}_{part}") for side in ("left", "right")] for part in ("knee", "ankle")
    )
    shins = xy[:, ankles] - xy[:, knees]
    turn = np.ptp(np.unwrap(np.arctan2(shins[..., 1], shins[..., 0]), axis=0), axis=0)
    return [*knees, *ankles] if (turn < np.radians(_STILL)).all() else []
