"""A simulated pose detector: projections of known 3D motion with a detector's errors."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator
from pydantic import Field, model_validator
from scipy.ndimage import gaussian_filter1d

from crossdiff.config import Config
from crossdiff.pipeline.motion2d.mapping import HUMANML3D22
from crossdiff.representation.projection import project_orthographic
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

# Height of the person in metres (HumanML3D's body), which errors are scaled by.
BODY_HEIGHT = 1.70
_SEEN, _UNSEEN = 0.9, 0.05
# Detectors are most accurate on the trunk; hands and feet have larger errors.
_ENDS = {"wrist": 2.0, "ankle": 1.5, "foot": 2.0, "elbow": 1.3, "knee": 1.3, "head": 1.2}
_TRUNK_LOST = 0.2  # rate of losing trunk joints, relative to head and limbs
_GUESS = 5.0  # error of a lost joint's guessed position, in standard deviations of the jitter
_NAMED: dict[str, dict[str, float]] = {
    "measured": {},
    "mild": {"jitter": 0.005, "bias": 0.0, "drift": 0.007, "drift_seconds": 0.5, "bursts": 0.0, "drops": 0.08},
}
_SWAPPED = (("knee", "ankle", "foot"), ("elbow", "wrist"))


class DetectorNoise(Config):
    """Errors of a simulated pose detector. All grow with `strength`, as do the rates and fractions.

    The defaults are as measured of BlazePose on film with known joints. In shares of the diagonal of the box around the
    joints (1.06 body heights), errors are 3 % in the median and 5 % on average, and every tenth is above 9 %; 3 % last
    for the whole clip, and the rest decays within a quarter of a second. 9 to 18 % of the joints are not found. A
    configuration may give a name instead of values: `measured` (these), or `mild`, the defaults of earlier releases.
    """

    strength: float = Field(1.0, ge=0)
    """Scale of all errors: 0 leaves the projection as it is, 1 applies the other values as given."""
    height: tuple[float, float] = (120.0, 500.0)
    """Range of the person's height, in pixels, from which each clip draws."""
    jitter_pixels: float = Field(1.0, ge=0)
    """Standard deviation of a trunk keypoint, in pixels; hands and feet have twice as much."""
    jitter: float = Field(0.003, ge=0)
    """The same in body heights, added to that."""
    bias: float = Field(0.02, ge=0)
    """Standard deviation of an error that each joint has throughout a clip, in body heights."""
    drift: float = Field(0.012, ge=0)
    """Standard deviation of an error that lasts for a while, in body heights."""
    drift_seconds: float = Field(0.28, gt=0)
    """Time over which this error decays, in seconds."""
    bursts: float = Field(0.9, ge=0)
    """Fluctuation of this error's strength over time: the standard deviation of its logarithm."""
    drops: float = Field(0.45, ge=0)
    """Rate per second at which a joint of the head or a limb is lost; of the trunk, a fifth of it."""
    drop_seconds: float = Field(0.4, gt=0)
    """Mean duration of such a loss, in seconds."""
    swaps: float = Field(0.1, ge=0)
    """Rate per second at which left and right arms or legs are exchanged for a few frames."""
    no_toes: float = Field(0.3, ge=0, le=1)
    """Fraction of clips whose detector has no toes."""
    camera_moves: float = Field(0.3, ge=0, le=1)
    """Fraction of clips whose camera pans."""
    camera_path: float = Field(0.5, ge=0)
    """Longest pan, in body heights."""
    camera_lost: float = Field(0.5, ge=0, le=1)
    """Fraction of the panning clips in which the camera's movement is unknown."""
    camera_error: float = Field(0.01, ge=0)
    """Error of the camera's movement in the other panning clips, in body heights after a second."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: object) -> object:
        if isinstance(values, str):
            if values not in _NAMED:
                raise ValueError(f"expected one of {', '.join(_NAMED)}, or values, got {values!r}")
            return dict(_NAMED[values])
        return values

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.height[0] <= self.height[1]:
            raise ValueError(f"height: expected two increasing numbers of pixels, got {self.height}")
        return self


def observe(
    joints: Float[ndarray, "f 22 3"], yaw: float, noise: DetectorNoise, rng: Generator, fps: float = HUMANML3D.fps
) -> Keypoints2D:
    """Keypoints of a motion (metres, Y up) as seen by an orthographic camera at this yaw (degrees), in its pixels.

    The keypoints are the 22 joints (set `humanml3d22`). A known camera movement is in `camera`.
    """
    flat = project_orthographic(torch.from_numpy(np.ascontiguousarray(joints)).double(), yaw).numpy()
    scale = rng.uniform(*noise.height) / BODY_HEIGHT
    xy = flat * np.array([scale, -scale])
    frames, count = xy.shape[:2]
    body, strength = scale * BODY_HEIGHT, noise.strength
    spread = np.array([next((w for part, w in _ENDS.items() if part in n), 1.0) for n in HUMANML3D.joint_names])
    jitter = strength * (noise.jitter_pixels + noise.jitter * body) * spread[:, None]
    drift = strength * noise.drift * body * spread[:, None]
    bias = strength * noise.bias * body * spread[:, None] * rng.standard_normal(xy.shape[1:])
    strong = np.exp(noise.bursts * _slow((frames, count, 1), fps / 2, rng))
    xy = xy + jitter * rng.standard_normal(xy.shape) + bias
    xy = xy + drift * strong * _slow(xy.shape, noise.drift_seconds * fps, rng)
    xy = _swapped(xy, strength * noise.swaps / fps, rng)
    score = np.full((frames, count), _SEEN)
    chance = strength * noise.drops / fps * np.where(spread > 1, 1.0, _TRUNK_LOST)
    lost = _stretches((frames, count), chance, noise.drop_seconds * fps, rng)
    score[lost] = _UNSEEN
    xy[lost] += _GUESS * np.broadcast_to(jitter, xy.shape)[lost] * rng.standard_normal(xy[lost].shape)
    if rng.random() < strength * noise.no_toes:
        score[:, [HUMANML3D.index("l_foot"), HUMANML3D.index("r_foot")]] = 0
    camera, known = np.tile(np.eye(2, 3), (frames, 1, 1)), np.ones(frames, dtype=bool)
    if rng.random() < strength * noise.camera_moves:
        path = noise.camera_path * body * _pan(frames, fps, rng)
        xy = xy - path[:, None]
        if rng.random() < noise.camera_lost:
            known[1:] = False
        else:
            error = strength * noise.camera_error * body / np.sqrt(fps)
            camera[1:, :, 2] = path[1:] + error * rng.standard_normal((frames - 1, 2)).cumsum(axis=0)
    low, high = xy.min((0, 1)) - body / 4, xy.max((0, 1)) + body / 4
    width, height = (int(np.ceil(n)) for n in high - low)
    return Keypoints2D(
        (xy - low).astype(np.float32), score.astype(np.float32), np.arange(frames), fps, (width, height),
        HUMANML3D22.name, camera=camera, camera_known=known,
    )  # fmt: skip


def faults(noise: DetectorNoise) -> dict[str, DetectorNoise]:
    """Each kind of error alone; those that affect only some clips are applied to all."""
    always = 1.0 / noise.strength if noise.strength else 0.0  # fractions are multiplied by the strength
    none = dict.fromkeys(("jitter_pixels", "jitter", "bias", "drift", "drops", "swaps", "no_toes", "camera_moves"), 0.0)
    alone = {
        "jitter": {n: getattr(noise, n) for n in ("jitter_pixels", "jitter", "bias", "drift")},
        "lost joints": {"drops": noise.drops},
        "left and right swapped": {"swaps": noise.swaps},
        "no toes": {"no_toes": always},
        "moving camera, known": {"camera_moves": always, "camera_lost": 0.0},
        "moving camera, unknown": {"camera_moves": always, "camera_lost": 1.0},
    }
    return {name: noise.model_copy(update={**none, **values}) for name, values in alone.items()}


def _pan(frames: int, fps: float, rng: Generator) -> Float[ndarray, "f 2"]:
    """A smooth path in the plane from the origin, at most 1 away from it."""
    path = gaussian_filter1d(rng.standard_normal((frames, 2)), fps, axis=0, mode="nearest")
    path -= path[0]
    return path * rng.random() / max(float(np.linalg.norm(path, axis=1).max()), 1e-9)


def _slow(shape: tuple[int, ...], frames: float, rng: Generator) -> ndarray:
    """Noise of unit variance along axis 0, correlated over about this many frames (first-order autoregression)."""
    keep = np.exp(-1 / max(frames, 1e-6))
    out = rng.standard_normal(shape)
    for n in range(1, shape[0]):
        out[n] = keep * out[n - 1] + np.sqrt(1 - keep**2) * out[n]
    return out


def _stretches(shape: tuple[int, ...], chance: ndarray | float, length: float, rng: Generator) -> ndarray:
    """True over intervals along axis 0 that start at this rate per frame, of exponential length or 1."""
    out = np.zeros(shape, dtype=bool)
    for start, *rest in np.argwhere(rng.random(shape) < chance):
        stop = start + 1 + int(rng.exponential(length))
        out[(slice(start, stop), *rest)] = True
    return out


def _swapped(xy: ndarray, chance: float, rng: Generator) -> ndarray:
    """Exchange left and right arms, and legs, for a few frames at random."""
    mirror = np.array(HUMANML3D.mirror)
    for parts in _SWAPPED:
        limb = [j for j, name in enumerate(HUMANML3D.joint_names) if name[2:] in parts]
        rows = np.flatnonzero(_stretches((len(xy), 1), chance, 3.0, rng)[:, 0])[:, None]
        xy[rows, limb] = xy[rows, mirror[limb]]
    return xy
