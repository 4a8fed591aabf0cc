"""A path on the floor that a motion follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.representation.filters import gaussian_in_time, smoothest_curve
from crossdiff.representation.root_track import RootTrack

# Lengths in metres of paths that can be followed.
_SHORTEST, _LONGEST = 0.1, 1000.0
# Speed in m/s of motions that would hardly move along a path.
_SLOWEST = 0.4
# Seconds below which the pelvis moves about the path on its own: its sway from step to step is kept.
_SWAY = 0.3
# Seconds over which directions of walking are compared.
_DIRECTION = 0.3
# Share of constant speed that is mixed into the pace that the model wants, so that time never stands still.
_STEADY = 0.1


@dataclass(frozen=True, eq=False)
class FloorPath:
    """Points on the floor in their order, joined by straight lines, and the times at which they are passed."""

    points: Float[ndarray, "n 2"]
    """x and z in metres."""
    times: Float[ndarray, " n"] | None = None
    """Seconds from the motion's start, increasing from 0; None: at the pace that the model wants."""

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2 or not np.isfinite(points).all():
            raise InputError(f"path: expected two points or more, each of x and z in metres, got shape {points.shape}")
        object.__setattr__(self, "points", points)
        if not _SHORTEST <= self.length <= _LONGEST:
            raise InputError(f"path: expected {_SHORTEST:g} to {_LONGEST:g} metres of length, got {self.length:.3g}")
        if self.times is None:
            return
        times = np.asarray(self.times, dtype=np.float64)
        if times.shape != (len(points),) or not np.isfinite(times).all() or not (np.diff(times) > 0).all():
            raise InputError(f"path: expected increasing times in seconds, one for each of {len(points)} points")
        object.__setattr__(self, "times", times - times[0])

    @property
    def length(self) -> float:
        """Length in metres."""
        return float(self._distances[-1])

    @property
    def seconds(self) -> float | None:
        """Time of the last point; None without times."""
        return None if self.times is None else float(self.times[-1])

    def frames_at(self, track: RootTrack, fps: float) -> int:
        """Frames that the path takes at the mean speed of a track, which counts as `_SLOWEST` at least."""
        speed = float(np.abs(np.diff(_low(track.place, fps))).mean()) * fps
        return round(self.length / max(speed, _SLOWEST) * fps) + 1

    @property
    def _distances(self) -> Float[ndarray, " n"]:
        return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])

    def along(self, distance: Float[ndarray, " t"]) -> Complex[ndarray, " t"]:
        """Points z + ix at distances in metres from the start, along the path."""
        x, z = (np.interp(distance, self._distances, column) for column in self.points.T)
        return z + 1j * x

    def at(self, seconds: Float[ndarray, " t"]) -> Complex[ndarray, " t"]:
        """Points z + ix at the given times; needs `times`."""
        assert self.times is not None
        x, z = (np.interp(seconds, self.times, column) for column in self.points.T)
        return z + 1j * x


def follow(track: RootTrack, path: FloorPath, fps: float) -> RootTrack:
    """The track led along the path: its steps keep their directions in the body's frame, and its sway.

    Headings are turned by the angle between the directions of walking, so that a person who walks sideways walks
    sideways along the path. Then the low frequencies of the place are those of the path.
    """
    smooth = _low(track.place, fps)
    target = _low(_target(smooth, path, fps), fps)
    turn = _turn_between(np.diff(smooth), np.diff(target), fps)
    led = RootTrack(track.place - track.place[0], track.heading).turned(turn)
    return RootTrack(target + led.place - _low(led.place, fps), led.heading)


def _target(smooth: Complex[ndarray, " t"], path: FloorPath, fps: float) -> Complex[ndarray, " t"]:
    """Where the path says that the root should be in each frame."""
    if path.times is not None:
        return path.at(np.arange(len(smooth)) / fps)
    speed = np.abs(np.diff(smooth))
    speed = speed + _STEADY * max(float(speed.mean()), 1e-6)
    distance = np.concatenate([[0], np.cumsum(speed)])
    return path.along(path.length * distance / distance[-1])


def _turn_between(steps: Complex[ndarray, " t"], target: Complex[ndarray, " t"], fps: float) -> Float[ndarray, " t+1"]:
    """Angle in each frame from the direction of one path to that of another, without jumps by whole turns."""
    product = np.conj(steps) * target
    columns = torch.from_numpy(np.stack([product.real, product.imag], axis=1))
    # A Gaussian, unlike a smoothest curve, does not overshoot where someone stops.
    real, imaginary = gaussian_in_time(torch.cat([columns, columns[-1:]]), _DIRECTION * fps).numpy().T
    return np.unwrap(np.arctan2(imaginary, real))


def _low(values: Complex[ndarray, " t"], fps: float, seconds: float = _SWAY) -> Complex[ndarray, " t"]:
    """Low-pass filter; periods below a few times `seconds` are removed."""
    columns = np.stack([values.real, values.imag], axis=1)
    low = smoothest_curve(columns, np.full(len(values), (seconds * fps) ** -4.0))
    return low[:, 0] + 1j * low[:, 1]
