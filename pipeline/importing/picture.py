"""The picture of imported poses: its size, its orientation and the camera's movement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.pipeline.motion2d.mapping import keypoint_set_named, to_joints
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

CameraRule = Literal["still", "unknown", "guess"]

_MARGIN = 0.1  # around the poses, relative to their extent, if the size of their picture is unknown
# Of `is_camera_still`: trunk lengths per second, and seconds over which speeds are measured.
_STILL_SPEED, _STRIDE = 0.4, 0.2


def camera_rule(name: str | None) -> CameraRule | None:
    """The rule with this name; None for None."""
    for rule in get_args(CameraRule):
        if rule == name:
            return rule
    if name is not None:
        raise InputError(f"no rule {name!r} for the camera; there are: {', '.join(get_args(CameraRule))}")
    return None


def fit_picture(keypoints: Keypoints2D) -> Keypoints2D:
    """The same poses and camera in a picture that contains all visible keypoints (score above 0), with a margin."""
    visible = keypoints.xy[(keypoints.score > 0) & np.isfinite(keypoints.xy).all(axis=-1)]
    if not len(visible):
        return replace(keypoints, size=(1, 1))
    low, high = visible.min(axis=0), visible.max(axis=0)
    margin = _MARGIN * float((high - low).max())
    width, height = np.maximum(np.ceil(high - low + 2 * margin), 1).astype(int).tolist()
    move = margin - low
    camera = keypoints.camera.astype(np.float64)
    camera[:, :, 2] += move - camera[:, :, :2] @ move
    return replace(keypoints, xy=keypoints.xy + move, size=(width, height), camera=camera)


def reverse_y(keypoints: Keypoints2D) -> Keypoints2D:
    """Keypoints and camera with the y axis reversed within the height of the picture."""
    height = float(keypoints.size[1])
    xy, camera = keypoints.xy.copy(), keypoints.camera.astype(np.float64)
    xy[..., 1] = height - xy[..., 1]
    flip = np.array([[1, 0, 0], [0, -1, height], [0, 0, 1]])
    return replace(keypoints, xy=xy, camera=flip[:2, :2] @ camera @ flip + [[0, 0, 0], [0, 0, height]])


def upside_down(xy: Float[ndarray, "f k 2"], visible: Bool[ndarray, "f k"], keypoint_set: str) -> Bool[ndarray, " n"]:
    """Whether the head is below the feet by more than the trunk's length, for each pose with visible head and trunk.

    y points down. If no ankle is visible, the head must be below the hips by half of that length. People who lie,
    crouch or do push-ups are not upside down.
    """
    joints, valid = to_joints(np.where(visible[..., None], xy, 0).astype(np.float64), visible, keypoint_set)
    head, hip, shoulder, ankle = (
        [HUMANML3D.index(name) for name in names]
        for names in (["head"], ["l_hip", "r_hip"], ["l_shoulder", "r_shoulder"], ["l_ankle", "r_ankle"])
    )
    known = valid[:, [*head, *hip, *shoulder]].all(axis=1)
    joints, stands = joints[known], valid[known][:, ankle].all(axis=1)
    hips = joints[:, hip].mean(axis=1)
    trunk = np.linalg.norm(joints[:, shoulder].mean(axis=1) - hips, axis=-1)
    lowest = np.where(stands, joints[:, ankle, 1].mean(axis=1), hips[:, 1])
    return joints[:, head[0], 1] - lowest > np.where(stands, 1, 0.5) * trunk


def refuse_upside_down(source: object, results: Iterable[Bool[ndarray, " n"]]) -> None:
    """InputError if most of a source's poses are upside down; results: of `upside_down`."""
    inverted = np.concatenate([np.zeros(0, dtype=bool), *results])
    count = np.count_nonzero(inverted)
    if 2 * count > len(inverted):
        raise InputError(
            f"{source}: in {count} of the {len(inverted)} poses looked at the head is below the feet; "
            "if y counts upwards there, import with --y-up; if these people are upside down, with --y-down"
        )


def with_camera(keypoints: Keypoints2D, rule: CameraRule) -> Keypoints2D:
    """The keypoints, with the camera's movement marked as unknown unless the camera is still by this rule."""
    if rule == "still" or (rule == "guess" and is_camera_still(keypoints)):
        return keypoints
    return replace(keypoints, camera_known=np.zeros(len(keypoints.frame), dtype=bool))


def is_camera_still(keypoints: Keypoints2D) -> bool:
    """Whether the camera seems to be still: for half of the time a hand or a foot is (without visible feet, a hip).

    Still means slower than 0.4 trunk lengths per second. Of motion capture in random side views, 32 frames each, 90 %
    of the clips of walking pass if the camera is still, and 27 % if it follows the person; of running hardly any pass
    either way.
    """
    body = keypoint_set_named(keypoints.keypoint_set).body
    xy, score, time = keypoints.xy[:, body].astype(np.float64), keypoints.score[:, body], keypoints.time
    whole = xy[(score[:, [0, 1, 6, 7]] > 0).all(axis=1)]
    if not len(whole):
        return False
    trunk = float(np.percentile(np.linalg.norm(whole[:, :2].mean(axis=1) - whole[:, 6:8].mean(axis=1), axis=-1), 90))
    later = np.searchsorted(time, time + _STRIDE - 1e-6)
    early = np.flatnonzero(later < len(time))
    later = later[early]
    if not len(early) or not trunk > 0:
        return False
    ends = [4, 5, 10, 11] if (score[:, 10:] > 0).any() else [4, 5, 6, 7]
    visible = (score[early][:, ends] > 0) & (score[later][:, ends] > 0)
    distance = np.linalg.norm(xy[later][:, ends] - xy[early][:, ends], axis=-1)
    speed = np.where(visible, distance / (time[later] - time[early])[:, None], np.inf).min(axis=1)
    return bool(np.median(speed) < _STILL_SPEED * trunk)
