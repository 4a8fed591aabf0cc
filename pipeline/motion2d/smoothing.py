"""Smoothing filters over time. All are symmetric in time, so none has a lag."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, savgol_filter, sosfiltfilt

from crossdiff.config import Config

# Seconds of padding at both ends, by point reflection about the end points, so that steady motion stays steady there.
_PADDING = 1.0


class SmoothConfig(Config):
    """The smoothing filter and its parameters; those of the other filters are ignored."""

    smooth: Literal["one_euro", "savgol", "butterworth", "gaussian", "none"] = "savgol"
    """Filter over time; none of them delays the motion."""
    savgol_window: PositiveInt = 7
    """Savitzky-Golay: window, in frames."""
    savgol_order: PositiveInt = 2
    """Savitzky-Golay: order of the polynomial that is fitted to the window."""
    butterworth_cutoff: PositiveFloat = 5.0
    """Butterworth: cutoff frequency, in hertz."""
    butterworth_order: PositiveInt = 2
    """Butterworth: order of each of the two passes, forwards and backwards."""
    gaussian_sigma: PositiveFloat = 1.0
    """Gaussian: standard deviation, in frames."""
    one_euro_min_cutoff: PositiveFloat = 2.0
    """One-Euro: cutoff frequency at rest, in hertz."""
    one_euro_beta: NonNegativeFloat = 1.0
    """One-Euro: increase of the cutoff frequency with speed, in hertz per metre per second."""


def smooth(joints: Float[ndarray, "f j c"], fps: float, cfg: SmoothConfig) -> Float[ndarray, "f j c"]:
    """Smooth each coordinate of each joint. joints: metres."""
    padding = min(round(_PADDING * fps), len(joints) - 1)
    if cfg.smooth == "none" or padding < 1:
        return joints
    x = np.pad(joints, ((padding, padding), (0, 0), (0, 0)), mode="reflect", reflect_type="odd")
    if cfg.smooth == "savgol":
        x = _savgol(x, cfg.savgol_window, cfg.savgol_order)
    elif cfg.smooth == "butterworth":
        if cfg.butterworth_cutoff < fps / 2:  # otherwise there is nothing to remove
            sections = butter(cfg.butterworth_order, cfg.butterworth_cutoff, output="sos", fs=fps)
            x = sosfiltfilt(sections, x, axis=0, padtype=None)
    elif cfg.smooth == "gaussian":
        x = gaussian_filter1d(x, cfg.gaussian_sigma, axis=0, mode="nearest")
    else:
        forwards, backwards = _one_euro(x, fps, cfg), _one_euro(x[::-1], fps, cfg)[::-1]
        x = (forwards + backwards) / 2
    return x[padding:-padding]


def _savgol(x: Float[ndarray, "f j c"], window: int, order: int) -> Float[ndarray, "f j c"]:
    """For a motion shorter than the window, the window is the largest odd number of frames that it has."""
    window = min(window, len(x))
    window -= (window + 1) % 2
    return savgol_filter(x, window, order, axis=0, mode="interp") if window > order else x


def _one_euro(x: Float[ndarray, "f j c"], fps: float, cfg: SmoothConfig) -> Float[ndarray, "f j c"]:
    """The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012), forwards: a low pass whose cutoff rises with speed.

    Differs: one cutoff for both axes of a joint, from its speed, so that the result does not depend on the axes.
    """

    def weight(cutoff: ndarray | float) -> ndarray | float:
        angle = 2 * np.pi * cutoff / fps
        return angle / (angle + 1)

    out, speed = x.copy(), np.zeros_like(x[0])
    for n in range(1, len(x)):
        speed = speed + weight(1.0) * ((x[n] - x[n - 1]) * fps - speed)
        cutoff = cfg.one_euro_min_cutoff + cfg.one_euro_beta * np.linalg.norm(speed, axis=-1, keepdims=True)
        out[n] = out[n - 1] + weight(cutoff) * (x[n] - out[n - 1])
    return out
