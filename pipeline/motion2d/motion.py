"""Tracks of keypoints to 2D motions: joints in metres, y up, at 20 fps, smooth, before a static camera."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.ndimage import binary_dilation

from crossdiff.errors import ClipError
from crossdiff.masks import true_runs
from crossdiff.pipeline.motion2d.cleaning import CleanConfig, clean
from crossdiff.pipeline.motion2d.hidden import estimate_hidden
from crossdiff.pipeline.motion2d.mapping import keypoint_set_named, to_joints
from crossdiff.pipeline.motion2d.smoothing import SmoothConfig, smooth
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Camera, Keypoints2D, Motion2D

# The way neck - pelvis - knee - ankle of the body that HumanML3D brings every motion to (1.70 m tall): the neck
# 0.544 m from the pelvis, the left knee 0.476, shin 0.432. (Its mean joint positions give 1.361: averaging over
# poses shortens bones.)
BODY_LENGTH = 1.453
# And the way pelvis - neck, shoulder - elbow - wrist of that body: 0.544 + 0.257 + 0.266 m; and pelvis - neck.
UPPER_LENGTH = 1.067
TRUNK_LENGTH = 0.544
_SCALE_QUANTILE = 90
# Movement of the camera, in shares of the frame's longer side, below which it is still.
_STILL = 0.005
_TINY = 1e-6  # seconds
_JUMP_MARGIN = 2  # frames that a cut of the film spoils on both sides of it


class MotionConfig(CleanConfig, SmoothConfig):
    """How tracks of keypoints become 2D motions."""

    seen_score: float = Field(0.3, ge=0, le=1)
    """Keypoints with a lower score count as not visible."""
    max_gap: NonNegativeFloat = 0.25
    """Longest gap in a joint's trajectory that is interpolated, in seconds."""
    max_root_speed: PositiveFloat = 15.0
    """Fastest movement of the root in the picture, in metres per second; the motion is cut at faster ones, which are
    cuts of the film or changes to another person."""
    fps: PositiveFloat = HUMANML3D.fps
    """Frame rate of the motions: 20 as in HumanML3D, 12.5 as in KIT-ML. `pseudo-label` needs 20."""
    min_frames: PositiveInt = 20
    """Shortest motion, in frames of joints; features have one frame less."""
    max_frames: PositiveInt = 197
    """Longest motion, in frames of joints; longer tracks are cut. Models take at most 196 frames of features."""


def to_motions(keypoints: Keypoints2D, cfg: MotionConfig, span: tuple[float, float] = (0.0, 0.0)) -> list[Motion2D]:
    """The motions of one track in order of time; none if the root is nowhere visible for long enough.

    span: as in `placed_motions`.
    """
    return [motion for _, motion in placed_motions(keypoints, cfg, span)]


def placed_motions(
    keypoints: Keypoints2D, cfg: MotionConfig, span: tuple[float, float] = (0.0, 0.0)
) -> list[tuple[int, Motion2D]]:
    """The clips of one track, each after the frame that it begins with, counted at `cfg.fps` from the track's first.

    span: seconds of the video that are wanted, all from the first where the second is 0. Smoothing and scale are of
    the whole track.
    """
    cleaned = clean(keypoints, cfg.seen_score, cfg)
    seen = cleaned.score >= cfg.seen_score
    seconds = cleaned.time - cleaned.time[0]
    table = keypoint_set_named(cleaned.keypoint_set)
    xy, estimated = estimate_hidden(cleaned.xy.astype(np.float64), seen, seconds, table)
    joints, valid = to_joints(xy, seen, table.name, estimated)
    joints = compensate_camera(joints, cleaned)
    joints[..., 1] *= -1
    joints, valid, filled = resample(joints, valid, seconds, cleaned.frame, cfg.fps, cfg.max_gap)
    shown = cleaned.time[0] + np.arange(len(joints)) / cfg.fps
    wanted = (shown >= span[0]) & ((shown < span[1]) | (span[1] == 0)) & valid[:, 0]
    if not cut(wanted, cfg.min_frames, cfg.max_frames):
        return []
    joints = joints / pixels_per_metre(joints, valid)
    pieces = cut(wanted & ~near_jumps(joints[:, 0], cfg.max_root_speed, cfg.fps), cfg.min_frames, cfg.max_frames)
    joints = smooth(joints, cfg.fps, cfg)
    world = joints_in_space(cleaned, len(joints), cfg)
    known = known_steps(cleaned, len(joints), cfg.fps)
    motions = []
    for p in pieces:
        camera, path = _camera(cleaned, p, known[p], cfg.fps)
        motion = Motion2D(
            _from_origin(joints[p], path).astype(np.float32), valid[p], cfg.fps, filled=filled[p], camera=camera,
            start=float(shown[p.start]), world=world[p], path_known=path,
        )  # fmt: skip
        motions.append((p.start, motion))
    return motions


def near_jumps(root: Float[ndarray, "f 2"], max_speed: float, fps: float) -> Bool[ndarray, " f"]:
    """Frames at or beside a movement faster than `max_speed`, into which smoothing carries it. root: metres."""
    jumps = np.linalg.norm(np.diff(root, axis=0), axis=-1) * fps > max_speed
    return binary_dilation(np.append(jumps, False) | np.insert(jumps, 0, False), iterations=_JUMP_MARGIN)


def _from_origin(joints: Float[ndarray, "f j 2"], path_known: Bool[ndarray, " f"]) -> Float[ndarray, "f j 2"]:
    """The joints with the first root at the origin, and no step of the root where its path is unknown."""
    root = joints[:, 0]
    steps = np.diff(root, axis=0, prepend=root[:1]) * path_known[:, None]
    return joints - (root - steps.cumsum(axis=0))[:, None]


def joints_in_space(keypoints: Keypoints2D, frames: int, cfg: MotionConfig) -> Float[ndarray, "g k 3"]:
    """The detector's own joints in space, at the times of a motion of this many frames: see `Motion2D.world`."""
    known = np.isfinite(keypoints.world).all(axis=(1, 2))
    if not keypoints.world.shape[1] or not known.any():
        return np.empty((frames, 0, 3), dtype=np.float32)
    world = np.where(known[:, None, None], keypoints.world, 0).astype(np.float64) * (1, -1, -1)
    joints, _ = to_joints(world, np.broadcast_to(known[:, None], world.shape[:2]), keypoints.keypoint_set)
    joints -= joints[:, :1]
    seconds = keypoints.time - keypoints.time[0]
    seen = np.broadcast_to(known[:, None], joints.shape[:2])
    joints, near, _ = resample(joints, seen, seconds, keypoints.frame, cfg.fps, cfg.max_gap)
    scale = pixels_per_metre(joints, near)
    return np.where(near[..., None], smooth(joints / scale, cfg.fps, cfg), np.nan).astype(np.float32)


def compensate_camera(joints: Float[ndarray, "f j 2"], keypoints: Keypoints2D) -> Float[ndarray, "f j 2"]:
    """Joints, in pixels, as seen by a static camera at the pose of the first frame.

    The root goes where the camera's movement takes it; the others keep their places about it, as large as there. What
    is below `_STILL` is the estimate's noise, and left out.
    """
    if _corner_shift(keypoints.camera, keypoints.size) < _STILL:
        return joints
    turn, shift = keypoints.camera[:, :, :2].astype(np.float64), keypoints.camera[:, :, 2]
    zoom = np.sqrt(np.abs(np.linalg.det(turn)))[:, None, None]
    root = joints[:, :1] @ turn.swapaxes(1, 2) + shift[:, None]
    return root + (joints - joints[:, :1]) * zoom


def known_steps(keypoints: Keypoints2D, frames: int, fps: float) -> Bool[ndarray, " g"]:
    """Whether the camera's movement from the motion's frame before to each of its frames is known."""
    # Between two frames of the motion lie source frames, of which each must be known.
    lost = np.cumsum(~keypoints.camera_known)
    times = np.arange(frames) / fps + keypoints.time[0]
    last = np.searchsorted(keypoints.time, times - _TINY).clip(max=len(lost) - 1)
    first = (np.searchsorted(keypoints.time, times + _TINY, side="right") - 1).clip(min=0)
    return np.concatenate([[True], lost[last[1:]] == lost[first[:-1]]])


def _camera(
    keypoints: Keypoints2D, piece: slice, known: Bool[ndarray, " f"], fps: float
) -> tuple[Camera, Bool[ndarray, " f"]]:
    """The state of the camera during a piece of the motion, and where the root's path is known.

    known: the piece's part of `known_steps`.
    """
    known = known.copy()
    known[0] = True  # the path begins here
    if 2 * known[1:].sum() < len(known) - 1:
        return "unknown", np.zeros_like(known)
    seconds = keypoints.time - keypoints.time[0]
    # With the source frames around the piece's ends, between which these are interpolated.
    first = max(0, int(np.searchsorted(seconds, piece.start / fps + _TINY, side="right")) - 1)
    last = min(len(seconds) - 1, int(np.searchsorted(seconds, (piece.stop - 1) / fps - _TINY)))
    camera = keypoints.camera[first : last + 1]
    return "still" if _corner_shift(camera, keypoints.size) < _STILL else "compensated", known


def _corner_shift(camera: Float[ndarray, "f 2 3"], size: tuple[int, int]) -> float:
    """Largest displacement of the frame's corners from the first frame, as a fraction of its longer side."""
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=np.float64)
    places = corners @ camera.astype(np.float64).swapaxes(1, 2)
    return float(np.linalg.norm(places - places[0], axis=-1).max()) / max(size)


def resample(
    joints: Float[ndarray, "f j c"],
    valid: Bool[ndarray, "f j"],
    seconds: ndarray,
    frame: ndarray,
    fps: float,
    max_gap: float,
) -> tuple[Float[ndarray, "g j c"], Bool[ndarray, "g j"], Bool[ndarray, "g j"]]:
    """Joints at even times from the first to the last of `seconds` (increasing), interpolated between visible frames.

    An interpolated joint counts as visible if its neighbours are at most `max_gap` seconds apart (or about as far as
    most neighbouring frames, as in a slow or sparsely annotated video), and as filled too if source frames lie between
    them. Before its first and after its last visible frame a joint is static. Returns joints, visible and filled.
    """
    count = int(np.floor((seconds[-1] - seconds[0]) * fps + _TINY)) + 1
    times = seconds[0] + np.arange(count) / fps
    out = np.zeros((count, *joints.shape[1:]))
    known, filled = (np.zeros((count, joints.shape[1]), dtype=bool) for _ in range(2))
    for j in range(joints.shape[1]):
        source = np.flatnonzero(valid[:, j])
        at = source if len(source) else np.arange(len(seconds))
        for axis in range(joints.shape[-1]):
            out[:, j, axis] = np.interp(times, seconds[at], joints[at, j, axis])
        if len(source):
            known[:, j], filled[:, j] = _within_reach(times, source, seconds, frame, max_gap)
    return out, known, filled


def _within_reach(
    times: ndarray, source: ndarray, seconds: ndarray, frame: ndarray, max_gap: float
) -> tuple[Bool[ndarray, " g"], Bool[ndarray, " g"]]:
    """Which times lie between (or on) two of the `source` rows that are near enough to each other; which of these
    between two that are not of neighbouring frames."""
    after = np.searchsorted(seconds[source], times - _TINY)
    before = np.searchsorted(seconds[source], times + _TINY, side="right") - 1
    inside = (before >= 0) & (after < len(source))
    a, b = source[np.maximum(before, 0)], source[np.minimum(after, len(source) - 1)]
    usual = np.median(np.diff(frame)) if len(frame) > 1 else 1
    near = inside & ((seconds[b] - seconds[a] <= max_gap + _TINY) | (frame[b] - frame[a] < 1.5 * usual))
    return near, near & (frame[b] - frame[a] > 1)


def pixels_per_metre(joints: Float[ndarray, "f 22 c"], valid: Bool[ndarray, "f 22"]) -> float:
    """Body scale: 90th percentile over frames and sides of neck - pelvis - knee - ankle, over its true length.

    Of a body whose legs are in no frame it is that of the trunk and the arms, less certain: arms are seldom stretched
    out across the picture. Without a whole limb it is that of the trunk.
    """
    trunk = ("neck", "pelvis")
    legs = [(trunk, ("pelvis", f"{s}_knee"), (f"{s}_knee", f"{s}_ankle")) for s in "lr"]
    arms = [(trunk, (f"{s}_shoulder", f"{s}_elbow"), (f"{s}_elbow", f"{s}_wrist")) for s in "lr"]
    for ways, length in ((legs, BODY_LENGTH), (arms, UPPER_LENGTH), ([(trunk,)], TRUNK_LENGTH)):
        measured = np.concatenate([_lengths(joints, valid, bones) for bones in ways])
        if not len(measured):
            continue
        scale = float(np.percentile(measured, _SCALE_QUANTILE)) / length
        if scale <= 0:
            raise ClipError(
                "trunk and limbs lie on one point, so the body's scale is unknown; check the keypoints of this clip"
            )
        return scale
    raise ClipError("no frame shows neck and pelvis: the body's scale is unknown")


def _lengths(
    joints: Float[ndarray, "f 22 c"], valid: Bool[ndarray, "f 22"], bones: Sequence[tuple[str, str]]
) -> Float[ndarray, " g"]:
    """Sum of some bones' lengths in each frame that shows them all."""
    ends = np.array([[HUMANML3D.index(joint) for joint in bone] for bone in bones])
    length = np.linalg.norm(joints[:, ends[:, 0]] - joints[:, ends[:, 1]], axis=-1).sum(axis=1)
    return length[valid[:, ends].all(axis=(1, 2))]


def cut(whole: Bool[ndarray, " f"], min_frames: int, max_frames: int) -> list[slice]:
    """Pieces of `min_frames` to `max_frames` frames of the runs of True; a longer run is cut into equal pieces."""
    pieces = []
    for start, stop in true_runs(whole):
        parts = -(-(stop - start) // max_frames)
        bounds = np.linspace(start, stop, parts + 1).round().astype(int)
        pieces += [slice(int(a), int(b)) for a, b in itertools.pairwise(bounds) if b - a >= min_frames]
    return pieces
