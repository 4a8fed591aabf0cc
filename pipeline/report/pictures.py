"""The pictures of a run's page: clips with their skeletons, labels beside their videos, histograms."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff.errors import CrossDiffError
from crossdiff.files import load_npz, write_atomically
from crossdiff.pipeline.ledger import Row, VideoRecord
from crossdiff.pipeline.run import Run
from crossdiff.representation.features3d import features_to_joints
from crossdiff.types import Keypoints2D, Motion2D, Motion3D
from crossdiff.viewing.camera import smooth_path
from crossdiff.viewing.encode import Image, write_video
from crossdiff.viewing.label import label_frames
from crossdiff.viewing.overlay import SHOWN, blank_frames, overlaid_frames
from crossdiff.viewing.page import Figure
from crossdiff.viewing.palette import AMBER, BLUE, PAPER, RED
from crossdiff.viewing.stills import contact_sheet

log = logging.getLogger(__name__)

_KEPT, _DROPPED, _LIMIT = BLUE, AMBER, RED
_SHEET = {"columns": 3, "count": 6, "width": 240}
_WIDEST = 2560  # pixels of a frame of which a small part is shown
_MARGIN = 0.3  # around a person, relative to the person's size
_VIDEO_HEIGHT = 360
_PANEL = 300  # pixels along each of the four panels of a label


class Drawer:
    """Draws clips and labels into a folder; those that cannot be drawn are omitted and listed in `failed`.

    gone: videos that are no longer where they were.
    """

    def __init__(self, run: Run, videos: Mapping[str, VideoRecord], folder: Path) -> None:
        self.run = run
        self.videos = videos
        self.folder = folder
        self.gone: set[str] = set()
        self.failed: dict[str, str] = {}

    def sheet(self, row: Row, caption: str) -> list[Figure]:
        """Evenly spaced frames of the clip with its skeleton."""

        def draw(keypoints: Keypoints2D, path: Path) -> None:
            picked = np.unique(np.linspace(0, len(keypoints.frame) - 1, _SHEET["count"]).round().astype(int))
            area = around(keypoints)
            width = min(_WIDEST, round(_SHEET["width"] / (area[1].stop - area[1].start) * keypoints.size[0]))
            zoom = width / keypoints.size[0]
            part = tuple(slice(int(side.start * zoom), int(np.ceil(side.stop * zoom))) for side in area)
            frames = self._frames(row.parent, keypoints, width, keypoints.frame[picked])
            contact_sheet([frame[part] for frame in frames], path, **_SHEET)

        return self._draw(row.id, row.id, caption, ".jpg", draw)

    def video(self, row: Row, caption: str) -> list[Figure]:
        """The clip as a video, with its skeleton."""

        def draw(keypoints: Keypoints2D, path: Path) -> None:
            width = round(keypoints.size[0] * _VIDEO_HEIGHT / keypoints.size[1])
            every = np.arange(keypoints.frame[0], keypoints.frame[-1] + 1)
            write_video(self._frames(row.parent, keypoints, width, every), path, keypoints.fps)

        return self._draw(row.id, row.id, caption, ".mp4", draw)

    def label(self, row: Row, video: str, caption: str) -> list[Figure]:
        """A pseudo label beside its video and its 2D motion, in step. row: of the label; video: its id."""

        def draw(keypoints: Keypoints2D, path: Path) -> None:
            flat = Motion2D.load(self.run.motion2d / f"{row.id}.npz")
            features = load_npz(self.run.find_label(row.id), ("features",))["features"]
            solid = Motion3D(features_to_joints(torch.from_numpy(features)).numpy(), flat.fps)
            source = self.person_frames(video, keypoints, flat.start + np.arange(len(features)) / flat.fps)
            write_video(label_frames(source, flat, solid, row.measures["yaw"], _PANEL), path, flat.fps)

        return self._draw(row.parent, f"label_{row.id}", caption, ".mp4", draw)

    def person_frames(self, video: str, keypoints: Keypoints2D, times: ndarray, size: int = _PANEL) -> Iterator[Image]:
        """Squares, about `size` pixels wide, that follow the person, with the keypoints drawn.

        video: its id; times: seconds, each replaced by the nearest frame.
        """
        frames = np.interp(times, keypoints.time, keypoints.frame).round().astype(int)
        numbers, counts = np.unique(frames, return_counts=True)
        corners, side = following(keypoints, numbers)
        width = min(_WIDEST, round(size / side * keypoints.size[0]))
        zoom = width / keypoints.size[0]
        pictures = self._frames(video, keypoints, width, numbers)
        for picture, corner, count in zip(pictures, corners, counts, strict=False):
            yield from itertools.repeat(_cut(picture, (corner * zoom).astype(int), round(side * zoom)), count)

    def _draw(
        self, clip: str, name: str, caption: str, suffix: str, draw: Callable[[Keypoints2D, Path], object]
    ) -> list[Figure]:
        path = self.folder / f"{name}{suffix}"
        try:
            draw(self.run.load_keypoints(clip), path)
        except CrossDiffError as error:
            log.info("%s not drawn", name, exc_info=True)
            self.failed[name] = str(error)
            return []
        return [Figure(f"{self.folder.name}/{path.name}", caption)]

    def _frames(self, video: str, keypoints: Keypoints2D, width: int, numbers: ndarray) -> Iterator[Image]:
        record = self.videos.get(video)
        if record is not None and not record.is_imported and record.path.is_file():
            return overlaid_frames(record.path, keypoints, width, numbers)
        if record is None or not record.is_imported:
            self.gone.add(video)
        return blank_frames(keypoints, width, numbers)


def around(keypoints: Keypoints2D) -> tuple[slice, slice]:
    """Crop covering the person in all frames, in pixels: rows and columns, neither shorter than 3/4 of the other."""
    visible = keypoints.score >= SHOWN
    points = keypoints.xy[visible] if visible.any() else keypoints.xy.reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    # Neither much longer than the other, so that all sheets have about the same shape.
    middle, half = (low + high) / 2, (0.5 + _MARGIN) * (high - low)
    half = np.maximum(half, max(half.max() * 0.75, 8))
    limits = np.array(keypoints.size)
    first = np.clip(middle - half, 0, limits - 8).astype(int)
    last = np.clip(middle + half, first + 8, limits).astype(int)
    return slice(first[1], last[1]), slice(first[0], last[0])


def following(keypoints: Keypoints2D, numbers: ndarray) -> tuple[Float[ndarray, "n 2"], float]:
    """Squares of one size that follow the person through these frames: upper left corners and side, in pixels.

    They stay inside the picture if they fit.
    """
    visible = keypoints.score >= SHOWN
    rows = np.flatnonzero(visible.any(axis=1) & (keypoints.frame >= numbers[0]) & (keypoints.frame <= numbers[-1]))
    if not len(rows):
        visible, rows = np.ones_like(visible), np.arange(len(visible))
    low, high = (
        np.where(visible[rows, :, None], keypoints.xy[rows], fill) for fill in (np.float32(np.inf), np.float32(-np.inf))
    )
    low, high = low.min(axis=1), high.max(axis=1)
    # A percentile, so that a single outlier does not make the person small in all frames.
    side = max((1 + _MARGIN) * float(np.percentile((high - low).max(axis=1), 95)), 16.0)
    middle = (low + high) / 2
    path = np.stack([np.interp(numbers, keypoints.frame[rows], middle[:, axis]) for axis in (0, 1)], axis=-1)
    room = np.array(keypoints.size) - side
    corners = smooth_path(path, keypoints.fps) - side / 2
    return np.clip(corners, np.minimum(room, 0), np.maximum(room, 0)), side


def _cut(picture: Image, corner: ndarray, side: int) -> Image:
    """A square of the picture, filled up with the colour of paper beyond its edges."""
    square = np.full((side, side, 3), PAPER, dtype=np.uint8)
    x, y = corner
    part = picture[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)]
    top, left = max(-y, 0), max(-x, 0)
    square[top : top + part.shape[0], left : left + part.shape[1]] = part
    return square


def draw_histograms(
    rows: Sequence[Row], titles: Mapping[str, str], limits: Mapping[str, float | None], folder: Path, what: str
) -> list[Figure]:
    """One picture per limit: the values of kept and of dropped rows, and the limit.

    titles: axis titles by measure. limits: a limit `min_x` or `max_x` is on the measure `x`; None: off. what: name of
    the rows, such as clips.
    """
    table = pd.DataFrame([{"kept": row.state == "done", **row.measures} for row in rows if row.measures])
    if table.empty:
        return []
    figures = []
    for name, limit in limits.items():
        measure = name[len("max_") :]
        if measure not in table:
            continue  # nothing could be measured
        path = folder / f"{measure}.svg"
        measured = table[table[measure].notna()]
        _histogram(path, (titles[measure], what), measured[measure], measured["kept"], limit, name.startswith("max_"))
        figures.append(Figure(f"{folder.name}/{path.name}", f"{name}: {'off' if limit is None else f'{limit:g}'}"))
    return figures


def _histogram(
    path: Path, names: tuple[str, str], values: pd.Series, kept: pd.Series, limit: float | None, upper: bool
) -> None:
    """Draw one histogram. names: of both axes; upper: whether larger values are dropped."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Drawing
    from matplotlib.ticker import MaxNLocator

    # Values beyond the axis are counted in the last bar, so that a few extreme clips do not compress the others.
    low, high = min(0.0, float(values.min())), max(float(values.quantile(0.98)), 1.25 * (limit or 0), 1e-3)
    clipped = values.clip(upper=high)
    with mpl.rc_context({"svg.hashsalt": names[0], "font.size": 11, "hatch.color": "#c8402f33"}):
        drawing = Drawing(figsize=(4.4, 2.5))
        ax = drawing.add_axes((0.13, 0.23, 0.81, 0.72))
        bins = np.linspace(low, high, 31).tolist()
        parts = [clipped[kept].to_numpy(), clipped[~kept].to_numpy()]
        ax.hist(parts, bins=bins, stacked=True, color=[_KEPT, _DROPPED], label=["kept", "dropped"])
        if limit is not None:
            ax.axvline(limit, color=_LIMIT, linewidth=1.8)
            ax.axvspan(*((limit, high) if upper else (low, limit)), facecolor="none", hatch="///", linewidth=0)
        ax.set(xlabel=names[0], ylabel=names[1], xlim=(low, high))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        ax.spines[["top", "right"]].set_visible(False)
        write_atomically(path, lambda tmp: drawing.savefig(tmp, metadata={"Date": None}))
