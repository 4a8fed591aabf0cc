"""What there is to measure on a track: is it a person, whole, large, steady, and moving?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.pipeline.mapping import keypoint_set_named
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

_EDGE = 0.005  # share of the frame's width or height that counts as its edge
_STRIDE = 0.5  # seconds between the two poses whose difference is called motion


def measure(keypoints: Keypoints2D, seen_score: float) -> dict[str, float]:
    """All measures of one track, over shoulders, elbows, wrists, hips, knees and ankles.

    fps: of the source; seconds: from first to last frame; frames: of that time at 20 fps; score: mean over the
    body; whole: share of frames in which all of the body has `seen_score`; height: of the body in pixels;
    edge: share of frames in which the body touches or leaves the frame; jitter and motion: see there.
    """
    body = keypoint_set_named(keypoints.keypoint_set).body
    xy, score = keypoints.xy[:, body].astype(np.float64), keypoints.score[:, body]
    seen = score >= seen_score
    seconds = float(keypoints.time[-1] - keypoints.time[0])
    size = body_size(xy)
    return {
        "fps": float(keypoints.fps),
        "seconds": seconds,
        "frames": int(seconds * HUMANML3D.fps + 1e-6) + 1,
        "score": float(score.mean()),
        "whole": float(seen.all(axis=1).mean()),
        "height": size,
        "edge": edge_share(xy, keypoints.size),
        "jitter": jitter(xy, seen, keypoints.frame) / size,
        "motion": motion_energy(xy, seen, keypoints.frame, keypoints.fps) / size,
    }


def body_size(xy: Float[ndarray, "f k 2"]) -> float:
    """Median over frames of the longer side of the body's box, in pixels; at least 1."""
    return max(1.0, float(np.median(np.ptp(xy, axis=1).max(axis=1))))


def edge_share(xy: Float[ndarray, "f k 2"], size: tuple[int, int]) -> float:
    """Share of frames in which some keypoint is at the frame's edge or (as a backend may guess) outside."""
    width, height = size
    margin = _EDGE * np.array([width, height])
    outside = (xy < margin) | (xy > np.array([width, height]) - margin)
    return float(outside.any(axis=(1, 2)).mean())


def jitter(xy: Float[ndarray, "f k 2"], seen: Bool[ndarray, "f k"], frame: ndarray) -> float:
    """Mean distance, in pixels, of a keypoint from the middle between its places one frame before and after."""
    neighbours = (np.diff(frame)[1:] == 1) & (np.diff(frame)[:-1] == 1)
    known = seen[2:] & seen[1:-1] & seen[:-2] & neighbours[:, None]
    distance = np.linalg.norm(xy[1:-1] - (xy[2:] + xy[:-2]) / 2, axis=-1)
    return float(distance[known].mean()) if known.any() else 0.0


def motion_energy(xy: Float[ndarray, "f k 2"], seen: Bool[ndarray, "f k"], frame: ndarray, fps: float) -> float:
    """Mean speed of the keypoints over half a second, in pixels per second: jitter hardly counts."""
    stride = max(1, round(_STRIDE * fps))
    later = np.searchsorted(frame, frame + stride)
    early = np.flatnonzero(later < len(frame))
    later = later[early]
    exact = frame[later] - frame[early] == stride
    known = seen[early] & seen[later] & exact[:, None]
    distance = np.linalg.norm(xy[later] - xy[early], axis=-1)
    return float(distance[known].mean()) * fps / stride if known.any() else 0.0
