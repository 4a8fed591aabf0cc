"""Measures of a track: is it a whole, large, steadily detected and moving person?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import median_filter

from crossdiff.pipeline.motion2d.mapping import keypoint_set_named
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

_EDGE = 0.005  # share of the frame's width or height that counts as its edge
_STRIDE = 0.5  # seconds between the two poses whose difference is called motion
_STEADY = 0.4  # seconds over which a limb's length is compared with its own median
# Upper arms, forearms, thighs and shins, as pairs of places in `KeypointSet.body`.
_LIMBS = ((0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10), (7, 9), (9, 11))


def measure(keypoints: Keypoints2D, seen_score: float) -> dict[str, float]:
    """All measures of one track, over shoulders, elbows, wrists, hips, knees and ankles.

    fps: of the frames as they are shown; seconds: from first to last frame; frames: of that time at 20 fps;
    edge: share of frames in which the body touches or leaves the frame; whole: share of frames in which all of
    the body has `seen_score`; height: of the body in pixels; score: mean over the body; joint_score: mean of the
    keypoint that is seen worst; bones, jitter, camera and motion: see there, in body heights; camera_lost: share
    of frames whose camera is unknown. Jitter and motion are what is left when the camera's movement is taken out.
    """
    body = keypoint_set_named(keypoints.keypoint_set).body
    xy, score, time = keypoints.xy[:, body].astype(np.float64), keypoints.score[:, body], keypoints.time
    seen = score >= seen_score
    seconds, rate, size = float(time[-1] - time[0]), frame_rate(keypoints), body_size(xy)
    still = stabilise(xy, keypoints.camera)
    still_size, told = body_size(still), seen & keypoints.camera_known[:, None]
    return {
        "fps": rate,
        "seconds": seconds,
        "frames": int(seconds * HUMANML3D.fps + 1e-6) + 1,
        "edge": edge_share(xy, keypoints.size),
        "whole": float(seen.all(axis=1).mean()),
        "height": size,
        "score": float(score.mean()),
        "joint_score": float(score.mean(axis=0).min()),
        "bones": bone_change(xy, seen, row_rate(keypoints)) / size,
        "jitter": jitter(still, told, time) / still_size,
        "camera": camera_speed(keypoints) / size,
        "camera_lost": float(1 - keypoints.camera_known.mean()),
        "motion": motion_energy(still, told, keypoints.camera_known, time) / still_size,
    }


def frame_rate(keypoints: Keypoints2D) -> float:
    """Frames per second, from the middle of the times between neighbours; the header's for a single frame."""
    if len(keypoints.frame) < 2:
        return float(keypoints.fps)
    rate = 1 / np.median(np.diff(keypoints.time) / np.diff(keypoints.frame))
    return round(float(rate), 3)  # 25, not 24.9999999: there is a limit on it


def row_rate(keypoints: Keypoints2D) -> float:
    """Rows per second: of keypoints of every fifth frame a fifth of the frame rate."""
    if len(keypoints.frame) < 2:
        return float(keypoints.fps)
    return float(1 / np.median(np.diff(keypoints.time)))


def stabilise(xy: Float[ndarray, "f k 2"], camera: Float[ndarray, "f 2 3"]) -> Float[ndarray, "f k 2"]:
    """Pixels of each frame to where they lay in the first one, as if the camera had rested."""
    return np.einsum("fij,fkj->fki", camera[:, :, :2], xy) + camera[:, None, :, 2]


def body_size(xy: Float[ndarray, "f k 2"]) -> float:
    """Median over frames of the longer side of the body's box, in pixels; at least 1."""
    return max(1.0, float(np.median(np.ptp(xy, axis=1).max(axis=1))))


def edge_share(xy: Float[ndarray, "f k 2"], size: tuple[int, int]) -> float:
    """Share of frames in which some keypoint is at the frame's edge or (as a backend may guess) outside."""
    width, height = size
    margin = _EDGE * np.array([width, height])
    outside = (xy < margin) | (xy > np.array([width, height]) - margin)
    return float(outside.any(axis=(1, 2)).mean())


def bone_change(xy: Float[ndarray, "f 12 2"], seen: Bool[ndarray, "f 12"], rate: float) -> float:
    """90th percentile over limbs and frames of how far a limb's length is off its running median, in pixels.

    In the image a limb shortens and grows as it turns, smoothly: the running median follows that. What is off it
    comes from a limb that the detector lost for some frames, or took from somebody else. The difference is not
    divided by the limb's own length, which goes to nothing as the limb points at the camera.
    """
    ends = np.array(_LIMBS).T
    lengths = np.linalg.norm(xy[:, ends[0]] - xy[:, ends[1]], axis=-1)
    window = max(3, 2 * round(_STEADY * rate / 2) + 1)
    off = np.abs(lengths - median_filter(lengths, size=(window, 1), mode="nearest"))
    known = seen[:, ends].all(axis=1)
    return float(np.percentile(off[known], 90)) if known.any() else 0.0


def jitter(xy: Float[ndarray, "f k 2"], seen: Bool[ndarray, "f k"], time: ndarray) -> float:
    """Mean distance, in pixels, of a keypoint from the straight way between its places one frame before and after."""
    if len(time) < 3:
        return 0.0
    steps = np.diff(time)
    neighbours = np.maximum(steps[1:], steps[:-1]) < 1.5 * np.median(steps)
    known = seen[2:] & seen[1:-1] & seen[:-2] & neighbours[:, None]
    share = (steps[:-1] / (steps[:-1] + steps[1:]))[:, None, None]
    distance = np.linalg.norm(xy[1:-1] - (xy[:-2] + share * (xy[2:] - xy[:-2])), axis=-1)
    return float(distance[known].mean()) if known.any() else 0.0


def motion_energy(
    xy: Float[ndarray, "f k 2"], seen: Bool[ndarray, "f k"], camera_known: Bool[ndarray, " f"], time: ndarray
) -> float:
    """Mean speed of the keypoints over half a second, in pixels per second: jitter hardly counts.

    Only where all of the camera's movement in that time is known; 0 where it never is.
    """
    later = np.searchsorted(time, time + _STRIDE - 1e-6)
    early = np.flatnonzero(later < len(time))
    later = later[early]
    passed = time[later] - time[early]
    lost = np.cumsum(~camera_known)
    near = (passed < 1.5 * _STRIDE) & (lost[early] == lost[later])
    known = seen[early] & seen[later] & near[:, None]
    speed = np.linalg.norm(xy[later] - xy[early], axis=-1) / passed[:, None]
    return float(speed[known].mean()) if known.any() else 0.0


def camera_speed(keypoints: Keypoints2D) -> float:
    """Mean speed at which what rests passes through the picture where the person is, in pixels per second.

    While the camera's movement is unknown it does not count: `camera_lost` tells of that.
    """
    now = np.flatnonzero(keypoints.camera_known[1:] & keypoints.camera_known[:-1])
    if not len(now):
        return 0.0
    middle = keypoints.xy.mean(axis=1, keepdims=True).astype(np.float64)[now]
    camera = keypoints.camera.astype(np.float64)
    # The place that the person's middle hides in one frame, and where it lies in the next.
    place = stabilise(middle, camera[now])[:, 0] - camera[now + 1, :, 2]
    moved = np.linalg.solve(camera[now + 1, :, :2], place[..., None])[..., 0] - middle[:, 0]
    return float((np.linalg.norm(moved, axis=-1) / np.diff(keypoints.time)[now]).mean())
