"""Annotated 2D poses of JHMDB (Jhuang et al., ICCV 2013) or Penn Action (Zhang et al., ICCV 2013) in one npz file.

Both are read as clips for import.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.files import load_npz
from crossdiff.pipeline.importing.imports import ImportedClip
from crossdiff.pipeline.motion2d.mapping import JHMDB15
from crossdiff.types import Keypoints2D

log = logging.getLogger(__name__)

JHMDB_ARRAYS = ("pose", "offsets", "label", "joint_names")
_PENN_ARRAYS = ("fps", "source_number", "side_evidence")
FPS = 25.0  # of JHMDB, whose file does not say
# The dataset's `pos_world`: offsets from the centre of the picture, divided by its height and by the person's scale in
# the frame. (x is divided by the height too: horizontal forearms then measure 0.98 of vertical ones, else 0.75.) The
# scale is not in the file, so the borders of the picture and the zoom cannot be recovered: a scale of 1 is assumed.
_HEIGHT = 240.0
_SIDES = {"r_": "right_", "l_": "left_"}
_STILL = 2.0  # largest rotation of the shins, in degrees, in a clip whose legs were not annotated


def read_jhmdb(path: Path, fps: float | None = None) -> list[ImportedClip]:
    """Read clips and name them `walk_0341` etc., those of Penn Action `penn_squat_1712` with its own clip numbers.

    The file has `pose` (N, 15, 2), all clips in sequence, and `offsets` (C + 1,), where each of them starts. Keypoints
    are in pixels of a picture 240 pixels high, of unknown borders, with the origin at its centre. Scores are 1, and 0
    for keypoints that are NaN and for legs that were not annotated (see `untouched_legs`).

    Penn Action's file also has `fps` (C,), `source_number` (C,) and `side_evidence` (C, 2): what a clip shows about its
    left and right, 1 if they are the person's, -1 if not. Clips with a negative sum are left out.

    fps: frames per second; by default the file's, or 25.
    """
    z = load_npz(path, JHMDB_ARRAYS, _PENN_ARRAYS)
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
    for name in (name for name in _PENN_ARRAYS if name in z):
        if z[name].shape[:1] != labels.shape:
            raise InputError(f"{path}: expected {name} of each of the {len(labels)} clips, got shape {z[name].shape}")
    pose = pose[:, [joints.index(name) for name in JHMDB15.names]]
    clips = [pose[a:b] for a, b in itertools.pairwise(offsets)]
    rates = np.full(len(labels), fps) if fps else z.get("fps", np.full(len(labels), FPS))
    ids = _ids(z)
    scores = [_scores(clip, is_puppet="source_number" not in z) for clip in clips]
    return [
        ImportedClip(ids[n], _keypoints(clips[n], scores[n], float(rates[n])), label=str(labels[n]))
        for n in _with_known_sides(path, z)
    ]


def _ids(z: Mapping[str, ndarray]) -> list[str]:
    labels = z["label"].tolist()
    if "source_number" in z:
        return [f"penn_{label}_{number:04d}" for label, number in zip(labels, z["source_number"].tolist(), strict=True)]
    return [f"{label}_{number:04d}" for number, label in enumerate(labels)]


def _with_known_sides(path: Path, z: Mapping[str, ndarray]) -> list[int]:
    """Numbers of the clips, without those whose left and right contradict what the clip shows."""
    count = len(z["label"])
    doubtful = z["side_evidence"].sum(axis=1) < 0 if "side_evidence" in z else np.zeros(count, dtype=bool)
    if doubtful.any():
        log.warning("%s: %d of %d clips left out: they contradict their left and right", path, doubtful.sum(), count)
    return np.flatnonzero(~doubtful).tolist()


def _scores(pose: Float[ndarray, "f 15 2"], is_puppet: bool) -> Float[ndarray, "f 15"]:
    """1 for annotated keypoints, else 0. is_puppet: legs that were not annotated are those of an unmoved puppet."""
    score = np.isfinite(pose).all(axis=-1).astype(np.float32)
    if is_puppet:
        score[:, untouched_legs(pose)] = 0
    return score


def _keypoints(pose: Float[ndarray, "f 15 2"], score: Float[ndarray, "f 15"], fps: float) -> Keypoints2D:
    return Keypoints2D((_HEIGHT * pose).astype(np.float32), score, np.arange(len(pose)), fps, (1, 1), JHMDB15.name)


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
