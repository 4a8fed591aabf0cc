"""Keypoints of a track to 2D motion clips: joints, y up, even 20 fps, smoothed, in metres, cut to length."""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.signal import savgol_filter

from crossdiff.config import Config
from crossdiff.errors import ClipError
from crossdiff.pipeline.mapping import to_joints
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D, Motion2D

# The way neck - pelvis - knee - ankle of the body that HumanML3D brings every motion to (1.70 m tall): the neck
# 0.544 m from the pelvis, the left knee 0.476, shin 0.432. (Its mean joint positions give 1.361: averaging over
# poses shortens bones.)
BODY_LENGTH = 1.453
_SCALE_QUANTILE = 90


class MotionConfig(Config):
    """seen_score: a keypoint below it counts as unseen; max_gap: seconds unseen that are interpolated over;

    smooth_window: frames at 20 fps of the Savitzky-Golay filter of order smooth_order (1: none);
    min_frames, max_frames: of a clip's joints; features have one frame less, and models take at most 196.
    """

    seen_score: float = Field(0.3, ge=0, le=1)
    max_gap: NonNegativeFloat = 0.25
    smooth_window: PositiveInt = 7
    smooth_order: PositiveInt = 2
    fps: PositiveFloat = HUMANML3D.fps
    min_frames: PositiveInt = 41
    max_frames: PositiveInt = 197


def to_motions(keypoints: Keypoints2D, cfg: MotionConfig, span: tuple[float, float] = (0.0, 0.0)) -> list[Motion2D]:
    """The clips of one track, in the order of time; none where nowhere long enough the root was seen.

    span: seconds of the video that are wanted, all from the first where the second is 0. Smoothing and scale are of
    the whole track.
    """
    seen = keypoints.score >= cfg.seen_score
    joints, valid = to_joints(keypoints.xy.astype(np.float64), seen, keypoints.keypoint_set)
    joints[..., 1] *= -1
    seconds = keypoints.time - keypoints.time[0]
    joints, valid = resample(joints, valid, seconds, cfg.fps, cfg.max_gap)
    shown = keypoints.time[0] + np.arange(len(joints)) / cfg.fps
    wanted = (shown >= span[0]) & ((shown < span[1]) | (span[1] == 0))
    pieces = cut(valid[:, 0] & wanted, cfg.min_frames, cfg.max_frames)
    if not pieces:
        return []
    joints = smooth(joints, cfg.smooth_window, cfg.smooth_order) / pixels_per_metre(joints, valid)
    return [
        Motion2D((joints[piece] - joints[piece.start, 0]).astype(np.float32), valid[piece], cfg.fps) for piece in pieces
    ]


def resample(
    joints: Float[ndarray, "f j 2"], valid: Bool[ndarray, "f j"], seconds: ndarray, fps: float, max_gap: float
) -> tuple[Float[ndarray, "g j 2"], Bool[ndarray, "g j"]]:
    """Joints at even times from the first to the last of `seconds` (increasing), each joint from where it was seen.

    Between two sightings the way is a straight line; it counts as seen when they are at most `max_gap` seconds
    apart (or are neighbouring frames of a slow video). Before the first and after the last sighting a joint rests.
    """
    count = int(np.floor((seconds[-1] - seconds[0]) * fps + 1e-6)) + 1
    times = seconds[0] + np.arange(count) / fps
    out, known = np.zeros((count, *joints.shape[1:])), np.zeros((count, joints.shape[1]), dtype=bool)
    for j in range(joints.shape[1]):
        source = np.flatnonzero(valid[:, j])
        at = source if len(source) else np.arange(len(seconds))
        for axis in range(2):
            out[:, j, axis] = np.interp(times, seconds[at], joints[at, j, axis])
        if len(source):
            known[:, j] = _within_reach(times, source, seconds, max_gap)
    return out, known


def _within_reach(times: ndarray, source: ndarray, seconds: ndarray, max_gap: float) -> Bool[ndarray, " g"]:
    """Which times lie between (or on) two of the `source` frames that are near enough to each other."""
    tiny = 1e-6
    after = np.searchsorted(seconds[source], times - tiny)
    before = np.searchsorted(seconds[source], times + tiny, side="right") - 1
    inside = (before >= 0) & (after < len(source))
    a, b = source[np.maximum(before, 0)], source[np.minimum(after, len(source) - 1)]
    near = (seconds[b] - seconds[a] <= max_gap + tiny) | (b - a <= 1)
    return inside & near


def smooth(joints: Float[ndarray, "f j 2"], window: int, order: int) -> Float[ndarray, "f j 2"]:
    """Savitzky-Golay filter along time, which has no lag; a motion shorter than the window uses what it has."""
    window = min(window, len(joints)) - (min(window, len(joints)) + 1) % 2
    if window <= order:
        return joints
    return savgol_filter(joints, window, order, axis=0, mode="interp")


def pixels_per_metre(joints: Float[ndarray, "f 22 2"], valid: Bool[ndarray, "f 22"]) -> float:
    """Body scale: 90th percentile over frames and sides of neck - pelvis - knee - ankle, over its true length."""
    index = HUMANML3D.index
    lengths = []
    for side in "lr":
        path = [index("neck"), index("pelvis"), index(f"{side}_knee"), index(f"{side}_ankle")]
        bones = np.linalg.norm(np.diff(joints[:, path], axis=1), axis=-1).sum(axis=1)
        lengths.append(bones[valid[:, path].all(axis=1)])
    measured = np.concatenate(lengths)
    if not len(measured):
        raise ClipError("no frame shows neck, pelvis, a knee and its ankle: the body's scale is unknown")
    scale = float(np.percentile(measured, _SCALE_QUANTILE)) / BODY_LENGTH
    if scale <= 0:
        raise ClipError("neck, pelvis, knee and ankle lie on one point: the body has no size")
    return scale


def cut(whole: Bool[ndarray, " f"], least: int, most: int) -> list[slice]:
    """Pieces of `least` to `most` frames out of the unbroken runs of True; a long run is cut into equal pieces."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], whole, [False]]).astype(int)))
    pieces = []
    for start, stop in edges.reshape(-1, 2):
        parts = -(-(stop - start) // most)
        bounds = np.linspace(start, stop, parts + 1).round().astype(int)
        pieces += [slice(int(a), int(b)) for a, b in itertools.pairwise(bounds) if b - a >= least]
    return pieces
