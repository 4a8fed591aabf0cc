"""The pictures of docs/data.md: skeletons, views, feature slices, and the plots of a prepared dataset.

python benchmarks/data_figures.py DATASET --clip ID [--out docs/img]
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from crossdiff.files import load_npy
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.layouts import FeatureLayout, layout_2d, layout_3d
from crossdiff.representation.projection import VIEWS, project_orthographic
from crossdiff.skeleton import HUMANML3D, KIT, Skeleton
from crossdiff.viewing.figure import LEFT, RIGHT
from crossdiff.viewing.plots import plot_dataset

_SIDES = {side: "#{:02x}{:02x}{:02x}".format(*rgb) for side, rgb in (("l_", LEFT), ("r_", RIGHT))}
_MIDDLE = "#444444"
_GROUPS = {
    "root": "#444444",
    "positions": "#2b5cad",
    "rotations": "#e0a33a",
    "velocities": "#3c8a4e",
    "contacts": "#c8402f",
}
# Lengths of KIT's bones for drawing, metres; the data set has bodies of all sizes.
_KIT_BONES = (0, 0.15, 0.2, 0.2, 0.15, 0.18, 0.28, 0.25, 0.18, 0.28, 0.25, 0.1, 0.42, 0.42, 0.12, 0.16, 0.1, 0.42, 0.42,
              0.12, 0.16)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="folder that `crossdiff prepare` made, of 22 joints")
    parser.add_argument("--clip", required=True, help="clip that is shown in the views")
    parser.add_argument("--out", type=Path, default=Path("docs/img"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    joints = load_npy(options.dataset / "new_joints" / f"{options.clip}.npy")
    features = load_npy(options.dataset / "new_joint_vecs" / f"{options.clip}.npy")
    save(skeletons(), options.out / "data_skeletons.png")
    save(views(joints), options.out / "data_views.png")
    save(slices(joints, features), options.out / "data_slices.png")
    for path in plot_dataset(options.dataset):
        shutil.copy(path, options.out / f"data_{path.name}")


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110)
    print(path)


def draw_bones(ax: Axes, flat: ndarray, skeleton: Skeleton, width: float = 2.0, alpha: float = 1.0) -> None:
    """One pose, (J, 2), y up; left in blue, right in orange."""
    for parent, joint in skeleton.bones:
        colour = _SIDES.get(skeleton.joint_names[joint][:2], _MIDDLE)
        ax.plot(*flat[[parent, joint]].T, color=colour, linewidth=width, alpha=alpha, solid_capstyle="round")
    ax.set_aspect("equal")


def skeletons() -> Figure:
    """Both skeletons in their rest pose, facing the reader, joints numbered and named."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    for ax, (skeleton, lengths) in zip(
        figure.subplots(1, 2), ((HUMANML3D, HUMANML3D.body), (KIT, _KIT_BONES)), strict=True
    ):
        joints = np.zeros((skeleton.num_joints, 3))
        for parent, joint in skeleton.bones:
            joints[joint] = joints[parent] + np.multiply(skeleton.rest[joint], lengths[joint])
        # KIT's rest directions have the right side at +x, though its motions have it at -x.
        r_hip, l_hip, _, _ = skeleton.facing
        joints[:, 0] *= np.sign(joints[l_hip, 0] - joints[r_hip, 0])
        flat = project_orthographic(torch.from_numpy(joints), 25.0).numpy()
        draw_bones(ax, flat, skeleton, 3)
        ax.plot(*flat.T, "o", color="white", markeredgecolor=_MIDDLE, markersize=13)
        for number, (x, y) in enumerate(flat):
            ax.text(x, y, str(number), ha="center", va="center", fontsize=7)
        named = [f"{n} {name}" for n, name in enumerate(skeleton.joint_names)]
        ax.text(1.02, 0.98, "\n".join(named), transform=ax.transAxes, va="top", fontsize=8, family="monospace")
        ax.set_title(f"{skeleton.name}: {skeleton.num_joints} joints, {skeleton.fps:g} fps")
        ax.axis("off")
        ax.margins(0.25, 0.05)
    return figure


def views(joints: ndarray) -> Figure:
    """Poses of one clip in all views, with the path of both hands."""
    figure = Figure(figsize=(13, 3.2), layout="constrained")
    shown = np.linspace(0, len(joints) - 1, 3).astype(int)
    hands = [HUMANML3D.index(n) for n in ("l_wrist", "r_wrist")]
    half = np.abs(joints[:, :, [0, 2]]).max() + 0.1
    for ax, view in zip(figure.subplots(1, len(VIEWS)), VIEWS, strict=True):
        flat = project_orthographic(torch.from_numpy(joints), view).numpy()
        for hand, colour in zip(hands, _SIDES.values(), strict=True):
            ax.plot(*flat[:, hand].T, color=colour, linewidth=0.7, alpha=0.6)
        for step, frame in enumerate(shown):
            draw_bones(ax, flat[frame], HUMANML3D, 1.8, 0.25 + 0.75 * step / (len(shown) - 1))
        ax.set(title=view, xlim=(-half, half), ylim=(-half, half) if view == "top" else (-0.1, 2 * half - 0.1))
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=7)
    figure.supxlabel("metres; later poses darker; blue: the person's left, orange: right", fontsize=9)
    return figure


def slices(joints: ndarray, features: ndarray) -> Figure:
    """Widths of the groups in every layout, and one clip's features in space and seen from the front."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, height_ratios=(1.5, 1, 1))
    layouts = {
        f"{kind}, {skeleton.name}": layout
        for skeleton in (HUMANML3D, KIT)
        for kind, layout in (
            ("3D", layout_3d(skeleton)),
            ("2D paper", layout_2d(skeleton, "paper")),
            ("2D official", layout_2d(skeleton, "official")),
        )
    }
    for row, layout in enumerate(layouts.values()):
        draw_groups(top, layout, row)
        top.text(layout.dim + 2, row, f"{layout.dim} values", va="center", fontsize=8)
    top.set_yticks(range(len(layouts)), list(layouts), fontsize=8)
    top.invert_yaxis()
    top.set(xlim=(0, 290), title="Groups of the feature vectors: where each begins, and its width")
    top.spines[["top", "right"]].set_visible(False)
    flat, _ = joints_to_features_2d(project_orthographic(torch.from_numpy(joints), "front"))
    for ax, values, layout, title in (
        (middle, features, layout_3d(), "A clip's 3D features over time"),
        (bottom, flat.numpy(), layout_2d(), "The same clip's 2D features, seen from the front"),
    ):
        draw_clip(ax, values, layout)
        ax.set_title(title)
    bottom.set_xlabel("time (s)")
    return figure


def draw_groups(ax: Axes, layout: FeatureLayout, row: int) -> None:
    for name, part in layout.groups.items():
        width = part.stop - part.start
        ax.barh(row, width, left=part.start, color=_GROUPS[name], height=0.62, edgecolor="white")
        if width > 12:
            ax.text(part.start + width / 2, row, f"{name} {width}", ha="center", va="center", fontsize=8, color="white")
        ax.text(part.start, row - 0.38, str(part.start), fontsize=6, va="bottom", ha="left")


def draw_clip(ax: Axes, values: ndarray, layout: FeatureLayout) -> None:
    """Values (T, D) less their mean over the clip, each group scaled by its own deviation."""
    shown = values - values.mean(0)
    for part in layout.groups.values():
        shown[:, part] /= shown[:, part].std() + 1e-6
    extent = (0, len(values) / HUMANML3D.fps, layout.dim, 0)
    ax.imshow(shown.T, aspect="auto", cmap="RdBu_r", vmin=-3, vmax=3, extent=extent, interpolation="nearest")
    for name, part in layout.groups.items():
        ax.axhline(part.start, color="black", linewidth=0.6)
        if part.stop - part.start > 12:
            place = -0.01, (part.start + part.stop) / 2
            beside = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "center"}
            ax.text(*place, name, fontsize=8, color=_GROUPS[name], **beside)
    ax.set_yticks([])


if __name__ == "__main__":
    main()
