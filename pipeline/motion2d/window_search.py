"""Search for tracks that share a similar window; for n tracks that differ, its time grows about with n log n."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.fft import dct
from scipy.spatial import cKDTree

from crossdiff.threads import num_threads

Poses = Float[ndarray, "f 12 2"]

WINDOW = 32  # frames at 20 fps in a window; shorter than the shortest clip
_STEP = 10  # frames between the windows of a track that are put into the search tree
_WAVES = 3  # lowest frequencies of a window that its descriptor contains
_DIMS = 16  # dimensions of the search tree; with more, it is hardly faster than comparing all pairs
# Windows of other tracks found for each window, and pairs of track and shift tested for each track: the closest. In
# crowded data, where everybody walks, more of them would make the search quadratic.
_NEAREST, _MOST = 8, 64
_TOGETHER = 64  # tracks whose windows are searched for in one call, which distributes them over threads
_SAMPLE = 1000  # tracks that determine the principal axes
_JOINTS = slice(2, 12)  # all but the shoulders, which hardly move on their own
_BASIS = dct(np.eye(WINDOW, dtype=np.float32), norm="ortho", axis=-1)[:, :_WAVES]


@dataclass(frozen=True)
class Candidates:
    """Other tracks that share a similar window with one track."""

    track: int
    others: Int[ndarray, " c"]
    shifts: Int[ndarray, " c"]
    """Frame of the other track that corresponds to frame 0 of the track."""


def search(tracks: Sequence[Poses], radius: float) -> Iterator[Candidates]:
    """Yield the candidates of each track: tracks with a window within `radius` of one of its windows, closest first.

    tracks: signatures of `WINDOW` or more frames. Of two similar tracks, one may be found from the other alone.
    """
    axes = _main_axes(np.concatenate([descriptors(t, _STEP) for t in tracks[:: max(1, len(tracks) // _SAMPLE)]]))
    indexed = [descriptors(t, _STEP) @ axes for t in tracks]
    counts = np.array([len(windows) for windows in indexed])
    owner = np.append(np.repeat(np.arange(len(tracks)), counts), -1)
    start = np.concatenate([_STEP * np.arange(count) for count in counts])
    index = _Index(cKDTree(np.concatenate(indexed)), owner, start, counts, radius)
    for first in range(0, len(tracks), _TOGETHER):
        yield from index.candidates(first, [descriptors(t) @ axes for t in tracks[first : first + _TOGETHER]])


@dataclass(frozen=True)
class _Index:
    """A search tree of windows."""

    tree: cKDTree
    owner: Int[ndarray, " w+1"]
    """Track of each window; then -1, for the number that the tree gives where it finds no more windows."""
    start: Int[ndarray, " w"]
    """First frame of each window."""
    counts: Int[ndarray, " t"]
    """Windows of each track."""
    radius: float

    def candidates(self, first: int, windows: Sequence[Float[ndarray, "w 16"]]) -> Iterator[Candidates]:
        """windows: the projected descriptors of every frame of the tracks `first`, `first + 1` ..."""
        counts = [len(w) for w in windows]
        points, own = np.concatenate(windows), np.repeat(first + np.arange(len(windows)), counts)
        queries, hits, distances = self._neighbours(points, own)
        frames = np.concatenate([np.arange(count) for count in counts])
        order = np.argsort(distances, kind="stable")
        queries, hits = queries[order], hits[order]
        mine, others = own[queries], self.owner[hits]
        shifts = self.start[hits] - frames[queries]
        for number in range(first, first + len(windows)):
            of_this = mine == number
            pairs = np.stack([others[of_this], shifts[of_this]], axis=1)
            closest = np.sort(np.unique(pairs, axis=0, return_index=True)[1])[:_MOST]
            yield Candidates(number, pairs[closest, 0], pairs[closest, 1])

    def _neighbours(self, points: Float[ndarray, "q 16"], own: Int[ndarray, " q"]) -> tuple[ndarray, ndarray, ndarray]:
        """Windows of other tracks near each point: arrays of the point's number, the window's, and their distance."""
        distances, hits = self._nearest(points, _NEAREST)
        # A person who stands still is closest to herself; look beyond her own windows.
        alone = np.flatnonzero((self.owner[hits] == own[:, None]).all(axis=1))
        found = [self._others(np.arange(len(points)), hits, distances, own)]
        if len(alone):
            distances, hits = self._nearest(points[alone], _NEAREST + int(self.counts[own[alone]].max()))
            found.append(self._others(alone, hits, distances, own[alone]))
        queries, hits, distances = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return queries, hits, distances

    def _nearest(self, points: ndarray, count: int) -> tuple[ndarray, ndarray]:
        numbers = np.arange(1, min(count, self.tree.n) + 1)
        distances, hits = self.tree.query(points, k=numbers, distance_upper_bound=self.radius, workers=num_threads())
        return np.asarray(distances), np.asarray(hits)

    def _others(
        self, queries: Int[ndarray, " q"], hits: ndarray, distances: ndarray, own: ndarray
    ) -> tuple[ndarray, ndarray, ndarray]:
        owners = self.owner[hits]
        row, column = np.nonzero((owners >= 0) & (owners != own[:, None]))
        return queries[row], hits[row, column], distances[row, column]


def _main_axes(windows: Float[ndarray, "w d"]) -> Float[ndarray, "d 16"]:
    """Principal axes of the descriptors, orthonormal: distances between projections are never larger."""
    return np.linalg.eigh(np.cov(windows.T))[1][:, ::-1][:, :_DIMS]


def descriptors(poses: Poses, step: int = 1) -> Float[ndarray, "w d"]:
    """A short vector for the window that starts at every `step`-th frame: the lowest terms of an orthonormal cosine
    transform of its poses around the origin, in units of the body's size.

    Two vectors are never farther apart than the poses of their windows (root mean square). So a search by vectors finds
    all similar windows, and some others.
    """
    poses = poses.astype(np.float32)
    moved = np.ascontiguousarray(poses[:, _JOINTS].reshape(len(poses), -1).T)
    waves = _windows(moved)[:, ::step] @ _BASIS
    # The mean position is in the constant term alone.
    middle = np.tile(_windows(poses.mean(axis=1).T)[:, ::step] @ _BASIS[:, 0], (waves.shape[0] // 2, 1))
    waves[..., 0] -= middle
    extents = np.ptp(poses, axis=1).max(axis=1)
    sizes = np.maximum(np.median(_windows(extents)[::step], axis=-1), 1e-3)
    scaled = waves.transpose(1, 0, 2).reshape(len(sizes), -1)
    return scaled / (sizes[:, None] * np.float32(np.sqrt(WINDOW * poses.shape[1])))


def _windows(values: Float[ndarray, "*n f"]) -> Float[ndarray, "*n w 32"]:
    return np.lib.stride_tricks.sliding_window_view(values, WINDOW, axis=-1)
