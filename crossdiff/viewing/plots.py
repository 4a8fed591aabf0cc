"""Plots of a prepared dataset: how long its clips are, how fast its joints move in space and in the views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.data.companions import SPLITS
from crossdiff.data.tally import FILE, SEEN, joint_speeds
from crossdiff.errors import InputError
from crossdiff.files import load_npy, load_npz, read_json, write_atomically
from crossdiff.skeleton import SKELETONS, Skeleton
from crossdiff.viewing.palette import AMBER, BLUE, GREEN, RED, REFERENCE, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Styles as in the paper: space in blue, the front in red, the side in green.
_STYLE = {
    "3d": ("in space", BLUE, "-"),
    "front": ("seen from the front", RED, "--"),
    "left": ("seen from the left", GREEN, "--"),
}
_SPLIT_COLOURS = (BLUE, AMBER, RED)
_PARTS = {"hands": ("wrist",), "feet": ("foot",)}
# Candidates for the clip whose views differ most from space.
_CANDIDATES = 64


def plot_dataset(dataset: Path) -> list[Path]:
    """Write `plots/lengths.png` and `plots/velocities.png` of a folder that `crossdiff prepare` made."""
    skeleton = SKELETONS[read_json(dataset / "dataset.json")["skeleton"]]
    z = load_npz(dataset / FILE)
    if z["counts"].shape[:2] != (len(SEEN), skeleton.num_joints):
        raise InputError(f"{dataset / FILE}: not of the skeleton {skeleton.name}; prepare the dataset again")
    lengths, velocities = dataset / "plots" / "lengths.png", dataset / "plots" / "velocities.png"
    with saved_figure(lengths, 7.2, 3.6) as figure:
        draw_lengths(figure.subplots(), {s: z[f"seconds_{s}"] for s in SPLITS if f"seconds_{s}" in z})
    with saved_figure(velocities, 11, 6.4) as figure:
        axes = figure.subplots(2, 2)
        for ax, (part, joints) in zip(axes[0], _parts(skeleton).items(), strict=True):
            draw_speeds(ax, z["counts"][:, joints].sum(axis=1), z["edges"], part)
        axes[0, 1].legend(frameon=False, loc="upper right")
        draw_example(axes[1], dataset, skeleton)
    return [lengths, velocities]


def draw_lengths(ax: Axes, seconds: dict[str, ndarray]) -> None:
    """Histogram of the clips' lengths, the splits stacked."""
    longest = max(float(s.max()) for s in seconds.values())
    colours = list(_SPLIT_COLOURS[: len(seconds)])
    labels = [f"{split}: {len(s)} clips, {s.sum() / 60:.0f} min" for split, s in seconds.items()]
    bins = np.linspace(0, longest * 1.001, 41).tolist()
    ax.hist(list(seconds.values()), bins=bins, stacked=True, color=colours, label=labels)
    ax.set(xlabel="length (s)", ylabel="clips", title="Clip lengths, mirrored copies included")
    ax.legend(frameon=False, loc="upper left")


def draw_speeds(ax: Axes, counts: Float[ndarray, "3 b"], edges: Float[ndarray, " b+1"], part: str) -> None:
    """Fraction of frames in which a part of the body is at least this fast; counts: in the order of SEEN."""
    for name, row in zip(SEEN, counts, strict=True):
        label, colour, line = _STYLE[name]
        at_least = row[::-1].cumsum()[::-1] / max(1, row.sum())
        ax.plot(edges[:-1], 100 * at_least, line, color=colour, label=label)
    ax.set(yscale="log", ylim=(0.1, 110), xlim=(0, edges[-1]), title=f"Speed of the {part}")
    ax.set(xlabel="metres per second", ylabel="% of frames at least this fast")


def draw_example(axes: ndarray, dataset: Path, skeleton: Skeleton) -> None:
    """Figure 5b of the paper: the hands of one clip over time, relative to the whole body in the frame."""
    ids = (dataset / "train.txt").read_text(encoding="utf-8").split()[:_CANDIDATES]
    clips = {i: relative_speeds(load_npy(dataset / "new_joints" / f"{i}.npy"), skeleton) for i in ids}
    hands = [skeleton.index(f"{side}_wrist") for side in "lr"]
    chosen = max(clips, key=lambda i: float((clips[i]["front"] - clips[i]["3d"])[:, hands].max(axis=0).sum()))
    for ax, hand in zip(axes, hands, strict=True):
        for name, speeds in clips[chosen].items():
            _, colour, line = _STYLE[name]
            ax.plot(np.arange(len(speeds)) / skeleton.fps, speeds[:, hand], line, color=colour)
        side = "left" if skeleton.joint_names[hand].startswith("l_") else "right"
        ax.set(xlabel="time (s)", ylabel="speed / norm over joints", title=f"The {side} hand in {chosen}")


def relative_speeds(joints: Float[ndarray, "f j 3"], skeleton: Skeleton) -> dict[str, Float[ndarray, "f-1 j"]]:
    """Speeds of each frame divided by their norm over the joints; 0 where nothing moves."""
    speeds = joint_speeds(joints, skeleton)
    return {name: v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-6) for name, v in speeds.items()}


def _parts(skeleton: Skeleton) -> dict[str, list[int]]:
    """Joints of the hands and of the feet."""
    return {
        part: [j for j, name in enumerate(skeleton.joint_names) if name.endswith(ends)] for part, ends in _PARTS.items()
    }


@contextmanager
def saved_figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of this size (inches) that is saved to `path` on exit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
    write_atomically(path, lambda tmp: figure.savefig(tmp, dpi=110))


def draw_intervals(
    ax: Axes,
    names: Sequence[str],
    means: Sequence[float],
    halves: Sequence[float] | ndarray,
    real: float,
    label: str = "real motion",
) -> None:
    """Draw a point with its interval for each name, from top to bottom, and a dashed line at the value of real motion.

    halves: half-widths of the intervals, of shape (2, N) if they are asymmetric.
    label: name of the dashed line.
    """
    places = np.arange(len(names))
    ax.axvline(real, color=REFERENCE, linestyle="--", linewidth=1, label=label)
    ax.errorbar(means, places, xerr=halves, fmt="o", color=BLUE, capsize=3, markersize=5)
    ax.set_yticks(places, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x", color=RULE)
    ax.set_axisbelow(True)
