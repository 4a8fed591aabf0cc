"""The colours of people's clothes, which identify a person who reappears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.pipeline.backends.base import Person
from crossdiff.pipeline.motion2d.mapping import KeypointSet

# Medians of red, green and blue in [0, 1] over the trunk, then over the thighs; NaN where these are not in the frame.
Colours = Float[ndarray, "6"]

_ACROSS, _ALONG = np.array([0.2, 0.4, 0.6, 0.8]), np.array([0.15, 0.3, 0.45, 0.6, 0.75, 0.9])


def colours(frame: ndarray, people: Sequence[Person], keypoints: KeypointSet) -> Float[ndarray, "p 6"]:
    """Colours of each person in an RGB frame (height, width, 3) whose pixels the people's keypoints are in."""
    found = np.full((len(people), 6), np.nan)
    for row, person in zip(found, people, strict=True):
        body = person.xy[keypoints.body]
        shoulders, hips, knees = body[0:2], body[6:8], body[8:10]
        top, bottom = (_between(left, right, _ACROSS) for left, right in (shoulders, hips))
        row[:3] = _median(frame, _between(top, bottom, _ALONG))
        row[3:] = _median(frame, _between(hips, knees, _ALONG))
    return found


def difference(a: Float[ndarray, "t 6"], b: Float[ndarray, "p 6"]) -> Float[ndarray, "t p"]:
    """Root mean square over the colours that both have, in [0, 1]; NaN where they have none."""
    squared = np.square(a[:, None] - b)
    known = ~np.isnan(squared)
    total = np.where(known, squared, 0).sum(axis=-1)
    return np.sqrt(np.divide(total, known.sum(axis=-1), out=np.full(total.shape, np.nan), where=known.any(axis=-1)))


def _between(a: ndarray, b: ndarray, shares: ndarray) -> Float[ndarray, "n 2"]:
    """Points on the straight lines from each of a to each of b."""
    return (a + shares.reshape(-1, *([1] * np.ndim(a))) * (b - a)).reshape(-1, 2)


def _median(frame: ndarray, points: Float[ndarray, "n 2"]) -> Float[ndarray, "3"]:
    x, y = np.floor(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < frame.shape[1]) & (y < frame.shape[0])
    if inside.mean() < 0.5:
        return np.full(3, np.nan)
    return np.median(frame[y[inside], x[inside]], axis=0) / 255
