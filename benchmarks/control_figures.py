"""The pictures of docs/control.md, with the shipped model.

python benchmarks/control_figures.py docs/img
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from crossdiff import CrossDiffPipeline
from crossdiff.diffusion.floor_path import FloorPath
from crossdiff.diffusion.goals import Goal
from crossdiff.representation.foot_lock import contacts, plant_feet, toes
from crossdiff.types import Motion3D
from crossdiff.viewing.stills import motion_strip

PATH = FloorPath(np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 2.5], [2.0, 4.5]]))


def draw_path(motion: Motion3D, out: Path) -> None:
    """The floor from above: the path, the pelvis, and the toes in contact."""
    figure, ax = plt.subplots(figsize=(5, 5), dpi=110, layout="constrained")
    ax.plot(*PATH.points.T, "--", color="#7a8494", label="path")
    ax.plot(motion.joints[:, 0, 0], motion.joints[:, 0, 2], color="#2b5cad", label="pelvis")
    for toe, touching, colour in zip(toes(), contacts(motion.joints).T, ("#3478c4", "#de703a"), strict=True):
        ax.plot(*motion.joints[touching][:, toe, ::2].T, ".", color=colour, markersize=7)
    ax.set(xlabel="x, m", ylabel="z, m", aspect="equal")
    ax.invert_xaxis()  # seen from above, the person's left is on the left
    ax.legend(frameon=False)
    figure.savefig(out)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    pipe = CrossDiffPipeline.from_pretrained()
    parts = [("a person walks forward", 60), ("a person waves with both hands", 60), ("a person runs forward", 40)]
    motion_strip(plant_feet(pipe.sequence(parts, seed=0)[0]), folder / "control_row.png", poses=10, height=300)
    walk = pipe("a person walks forward", path=PATH, seed=0)[0]
    draw_path(plant_feet(walk), folder / "control_path.png")
    goal = Goal("r_wrist", (-0.35, 1.6, 0.5), 2.0)
    reaching = pipe("a person raises the right hand", 80, goals=[goal], seed=0)[0]
    motion_strip(plant_feet(reaching), folder / "control_goal.png", poses=7, height=300)


if __name__ == "__main__":
    sys.exit(main())
