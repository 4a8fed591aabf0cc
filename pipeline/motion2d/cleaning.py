"""Repair of keypoints: left-right swaps are undone, outliers are marked as not visible."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from pydantic import NonNegativeFloat, PositiveFloat

from crossdiff.pipeline.motion2d.mapping import keypoint_set_named
from crossdiff.pipeline.motion2d.measures import body_size, row_rate
from crossdiff.pipeline.motion2d.sides import SwapConfig, pairs, swapped
from crossdiff.types import Keypoints2D

_SPREAD = 1.4826  # standard deviation of a normal distribution, in median absolute deviations
_AT_ONCE = 256  # frames whose windows are in memory at once; those of a whole track take many times its size


class CleanConfig(SwapConfig):
    """When keypoints count as swapped or as outliers."""

    outlier_window: NonNegativeFloat = 0.2
    """Half-width of the window whose median each keypoint is compared with, in seconds; 0 switches the check off."""
    outlier_threshold: PositiveFloat = 3.0
    """Smallest distance of an outlier from the median, in standard deviations of the window."""
    outlier_least: NonNegativeFloat = 0.05
    """Smallest distance of an outlier from the median, in body sizes."""


def clean(keypoints: Keypoints2D, seen_score: float, cfg: CleanConfig) -> Keypoints2D:
    """Keypoints with left-right swaps undone; outliers get score 0."""
    size = body_size(keypoints.xy.astype(np.float64))
    keypoints = _unswap(keypoints, size, cfg) if cfg.swap_cost > 0 else keypoints
    score = keypoints.score.copy()
    if cfg.outlier_window > 0:
        xy = keypoints.xy.astype(np.float64)
        score[outliers(xy, score >= seen_score, row_rate(keypoints), size, cfg)] = 0
    return replace(keypoints, score=score)


def _unswap(keypoints: Keypoints2D, size: float, cfg: SwapConfig) -> Keypoints2D:
    left, right, part = pairs(keypoint_set_named(keypoints.keypoint_set))
    xy, score = keypoints.xy / size, np.minimum(keypoints.score[:, left], keypoints.score[:, right])
    wrong = swapped(xy[:, left], xy[:, right], score, keypoints.time, part, cfg)
    source = np.tile(np.arange(xy.shape[1]), (len(xy), 1))
    source[:, left], source[:, right] = np.where(wrong, right, left), np.where(wrong, left, right)
    rows = np.arange(len(xy))[:, None]
    world = keypoints.world[rows, source] if keypoints.world.shape[1] else keypoints.world
    return replace(keypoints, xy=keypoints.xy[rows, source], score=keypoints.score[rows, source], world=world)


def outliers(
    xy: Float[ndarray, "f k 2"], visible: Bool[ndarray, "f k"], rate: float, size: float, cfg: CleanConfig
) -> Bool[ndarray, "f k"]:
    """Outliers by Hampel's identifier along time, on each coordinate of the visible keypoints.

    rate: rows per second; size: of the body, in pixels.
    """
    half = max(1, round(cfg.outlier_window * rate))
    values = np.where(visible[..., None], xy, np.nan).astype(np.float32)
    padded = np.pad(values, ((half, half), (0, 0), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(values), _AT_ONCE)]
    return np.concatenate([_outliers_of(values[part], windows[part], size, cfg) for part in parts])


def _outliers_of(
    values: Float[ndarray, "f k 2"], windows: Float[ndarray, "f k 2 w"], size: float, cfg: CleanConfig
) -> Bool[ndarray, "f k"]:
    """Which keypoints are outliers of the windows around them. NaN: not visible."""
    half = windows.shape[-1] // 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        median = np.nanmedian(windows, axis=-1)
        spread = _SPREAD * np.nanmedian(np.abs(windows - median[..., None]), axis=-1)
    deviation = np.abs(values - median)
    deviates = ((deviation > cfg.outlier_threshold * spread) & (deviation > cfg.outlier_least * size)).any(axis=-1)
    # With frames on one side only, steady motion deviates from the median too.
    visible = ~np.isnan(windows[:, :, 0])
    before, after = visible[..., :half].sum(axis=-1), visible[..., half + 1 :].sum(axis=-1)
    return deviates & (np.minimum(before, after) > half // 2)
