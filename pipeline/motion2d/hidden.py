"""Hips and shoulders that the body hides: the visible ones stand in for them.

In a view from the side one hip and one shoulder are hidden, often in a whole clip. The middle of the body is where the
visible ones are, so the root, the spine and the neck need not be lost.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from crossdiff.pipeline.motion2d.mapping import CLOSE, NECK_LIFT, ROUGH, KeypointSet

# Seconds over which the distance between the two of a pair fades to 0 once one of them is hidden. It is hidden because
# it is behind the other one, but at that moment they may still be apart (behind an object, say), and the root must not
# jump.
_FADE = 0.5


def estimate_hidden(
    xy: Float[ndarray, "f k 2"], visible: Bool[ndarray, "f k"], seconds: Float[ndarray, " f"], table: KeypointSet
) -> tuple[Float[ndarray, "f k 2"], Int[ndarray, "f k"]]:
    """Keypoints with estimates of hidden hips and shoulders, and of the neck of sets that have one.

    A hidden hip or shoulder is close to its counterpart where that is visible. If both shoulders are hidden, they are
    roughly where the trunk of other frames puts them. A hidden neck is estimated from the hips and the shoulders.

    xy: pixels; seconds: time of each frame, increasing. Returns the positions, and `CLOSE` or `ROUGH` where they are
    estimates, else 0.
    """
    xy, estimated = xy.copy(), np.zeros(visible.shape, dtype=int)
    shoulders, hips = table.trunk[:2], table.trunk[2:]
    for pair in (shoulders, hips):
        apart = _faded(xy[:, pair[0]] - xy[:, pair[1]], visible[:, pair].all(axis=1), seconds)
        for hidden, other, sign in ((*pair, 1), (*reversed(pair), -1)):
            frames = visible[:, other] & ~visible[:, hidden]
            xy[frames, hidden] = xy[frames, other] + sign * apart[frames]
            estimated[frames, hidden] = CLOSE
    known = visible | (estimated == CLOSE)
    whole = known[:, table.trunk].all(axis=1)
    if not whole.any():
        return xy, estimated
    trunk = xy[:, shoulders].mean(axis=1) - xy[:, hips].mean(axis=1)
    trunk = _between(trunk[whole], seconds[whole], seconds)
    frames = known[:, hips].all(axis=1) & ~known[:, shoulders].any(axis=1)
    xy[np.ix_(frames, shoulders)] = (xy[:, hips].mean(axis=1) + trunk)[frames, None]
    estimated[np.ix_(frames, shoulders)] = ROUGH
    if table.neck:
        neck = table.names.index(table.neck)
        frames = whole & ~visible[:, neck]
        xy[frames, neck] = (xy[:, hips].mean(axis=1) + (1 + NECK_LIFT) * trunk)[frames]
        estimated[frames, neck] = CLOSE
    return xy, estimated


def _faded(
    apart: Float[ndarray, "f 2"], known: Bool[ndarray, " f"], seconds: Float[ndarray, " f"]
) -> Float[ndarray, "f 2"]:
    """`apart` where it is known; elsewhere interpolated in time, by way of 0 in gaps of more than twice `_FADE`."""
    if not known.any():
        return np.zeros_like(apart)
    time = seconds[known]
    wide = np.flatnonzero(np.diff(time) > 2 * _FADE)
    zeros = np.concatenate([time[[0]] - _FADE, time[wide] + _FADE, time[wide + 1] - _FADE, time[[-1]] + _FADE])
    knots = np.concatenate([time, zeros])
    order = np.argsort(knots)
    values = np.concatenate([apart[known], np.zeros((len(zeros), 2))])
    return _between(values[order], knots[order], seconds)


def _between(values: Float[ndarray, "n 2"], knots: ndarray, seconds: ndarray) -> Float[ndarray, "f 2"]:
    """The values at other times: linear interpolation, constant beyond both ends."""
    return np.stack([np.interp(seconds, knots, values[:, axis]) for axis in range(2)], axis=1)
