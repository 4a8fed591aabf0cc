"""Measures of a track: whether the person is whole, large, steadily detected and moving."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import median_filter

from crossdiff.pipeline.motion2d.mapping import keypoint_set_named
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

_EDGE = 0.005  # fraction of the frame's width or height that counts as its edge
_STRIDE = 0.5  # seconds between the two poses whose difference measures motion
_STEADY = 0.4  # seconds, window of the running median of a limb's length
# Upper arms, forearms, thighs and shins, as pairs of indices into `KeypointSet.body`.
_LIMBS = ((0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10), (7, 9), (9, 11))


def measure(keypoints: Keypoints2D, seen_score: float) -> dict[str, float]:
    """All measures of one track, over shoulders, elbows, wrists, hips, knees and ankles; lengths in body heights.

    fps: frame rate of the video.
    seconds: from the first frame to the last.
    frames: length in frames at 20 fps.
    edge: fraction of frames in which the body touches or leaves the edge of the frame.
    whole: fraction of frames in which every keypoint has a score of `seen_score` or more.
    height: of the body, in pixels.
    score: mean score.
    joint_score: lowest mean score of a keypoint.
    bones: see `bone_change`.
    jitter, motion: see `jitter` and `motion_energy`; the camera's movement is compensated first.
    camera: see `camera_speed`.
    camera_lost: fraction of frames in which the camera's movement is unknown.
    """
    body = keypoint_set_named(keypoints.keypoint_set).body
    xy, score, time = keypoints.xy[:, body].astype(np.float64), keypoints.score[:, body], keypoints.time
    visible = score >= seen_score
    seconds, rate, size = float(time[-1] - time[0]), frame_rate(keypoints), body_size(xy)
    stable = stabilise(xy, keypoints.camera)
    stable_size, usable = body_size(stable), visible & keypoints.camera_known[:, None]
    return {
        "fps": rate,
        "seconds": seconds,
        "frames": int(seconds * HUMANML3D.fps + 1e-6) + 1,
        "edge": edge_share(xy, keypoints.size),
        "whole": float(visible.all(axis=1).mean()),
        "height": size,
        "score": float(score.mean()),
        "joint_score": float(score.mean(axis=0).min()),
        "bones": bone_change(xy, visible, row_rate(keypoints)) / size,
        "jitter": jitter(stable, usable, time) / stable_size,
        "camera": camera_speed(keypoints) / size,
        "camera_lost": float(1 - keypoints.camera_known.mean()),
        "motion": motion_energy(stable, usable, keypoints.camera_known, time) / stable_size,
    }


def frame_rate(keypoints: Keypoints2D) -> float:
    """Frames per second, from the median interval between frames; the header's for a single frame."""
    if len(keypoints.frame) < 2:
        return float(keypoints.fps)
    rate = 1 / np.median(np.diff(keypoints.time) / np.diff(keypoints.frame))
    return round(float(rate), 3)  # 25 instead of 24.9999999, because a limit applies to it


def row_rate(keypoints: Keypoints2D) -> float:
    """Rows per second: a fifth of the frame rate if there are keypoints of every fifth frame."""
    if len(keypoints.frame) < 2:
        return float(keypoints.fps)
    return float(1 / np.median(np.diff(keypoints.time)))


def stabilise(xy: Float[ndarray, "f k 2"], camera: Float[ndarray, "f 2 3"]) -> Float[ndarray, "f k 2"]:
    """Positions mapped to the pixels of the first frame, which compensates the camera's movement."""
    return np.einsum("fij,fkj->fki", camera[:, :, :2], xy) + camera[:, None, :, 2]


def body_size(xy: Float[ndarray, "f k 2"]) -> float:
    """Median over frames of the longer side of the body's box, in pixels; at least 1."""
    return max(1.0, float(np.median(np.ptp(xy, axis=1).max(axis=1))))


def edge_share(xy: Float[ndarray, "f k 2"], size: tuple[int, int]) -> float:
    """Fraction of frames in which a keypoint is at the edge of the frame or, as some backends guess, outside."""
    width, height = size
    margin = _EDGE * np.array([width, height])
    outside = (xy < margin) | (xy > np.array([width, height]) - margin)
    return float(outside.any(axis=(1, 2)).mean())


def bone_change(xy: Float[ndarray, "f 12 2"], visible: Bool[ndarray, "f 12"], rate: float) -> float:
    """90th percentile, over limbs and frames, of the deviation of a limb's length from its running median, in pixels.

    The length of a limb that turns changes smoothly in the image, and the running median follows. Deviations come from
    limbs that the detector lost for some frames, or took from another person. They are not relative to the limb's
    length, which vanishes when the limb points at the camera.
    """
    ends = np.array(_LIMBS).T
    lengths = np.linalg.norm(xy[:, ends[0]] - xy[:, ends[1]], axis=-1)
    window = max(3, 2 * round(_STEADY * rate / 2) + 1)
    deviation = np.abs(lengths - median_filter(lengths, size=(window, 1), mode="nearest"))
    known = visible[:, ends].all(axis=1)
    return float(np.percentile(deviation[known], 90)) if known.any() else 0.0


def jitter(xy: Float[ndarray, "f k 2"], visible: Bool[ndarray, "f k"], time: ndarray) -> float:
    """Mean distance of a keypoint from the interpolation of its positions one frame before and after, in pixels."""
    if len(time) < 3:
        return 0.0
    steps = np.diff(time)
    neighbours = np.maximum(steps[1:], steps[:-1]) < 1.5 * np.median(steps)
    known = visible[2:] & visible[1:-1] & visible[:-2] & neighbours[:, None]
    share = (steps[:-1] / (steps[:-1] + steps[1:]))[:, None, None]
    distance = np.linalg.norm(xy[1:-1] - (xy[:-2] + share * (xy[2:] - xy[:-2])), axis=-1)
    return float(distance[known].mean()) if known.any() else 0.0


def motion_energy(
    xy: Float[ndarray, "f k 2"], visible: Bool[ndarray, "f k"], camera_known: Bool[ndarray, " f"], time: ndarray
) -> float:
    """Mean speed of the keypoints over half a second, which suppresses jitter, in pixels per second.

    Intervals with unknown camera movement do not count; 0 without any others.
    """
    later = np.searchsorted(time, time + _STRIDE - 1e-6)
    early = np.flatnonzero(later < len(time))
    later = later[early]
    passed = time[later] - time[early]
    lost = np.cumsum(~camera_known)
    near = (passed < 1.5 * _STRIDE) & (lost[early] == lost[later])
    known = visible[early] & visible[later] & near[:, None]
    speed = np.linalg.norm(xy[later] - xy[early], axis=-1) / passed[:, None]
    return float(speed[known].mean()) if known.any() else 0.0


def camera_speed(keypoints: Keypoints2D) -> float:
    """Mean speed of the static background behind the person, in pixels per second.

    Frames with unknown camera movement do not count; `camera_lost` is their fraction.
    """
    now = np.flatnonzero(keypoints.camera_known[1:] & keypoints.camera_known[:-1])
    if not len(now):
        return 0.0
    middle = keypoints.xy.mean(axis=1, keepdims=True).astype(np.float64)[now]
    camera = keypoints.camera.astype(np.float64)
    # The background point behind the person's centre in one frame, and its position in the next.
    point = stabilise(middle, camera[now])[:, 0] - camera[now + 1, :, 2]
    moved = np.linalg.solve(camera[now + 1, :, :2], point[..., None])[..., 0] - middle[:, 0]
    return float((np.linalg.norm(moved, axis=-1) / np.diff(keypoints.time)[now]).mean())
