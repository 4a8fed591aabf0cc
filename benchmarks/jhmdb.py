"""Results of a run of JHMDB's clips: labels beside their 2D motion, and samples before and after fine-tuning.

python benchmarks/jhmdb.py RUN [--after RUN/finetuned] [--out docs/img]

RUN is made by the commands of docs/experiments/jhmdb.md. Prints the tables of labels and samples; draws
jhmdb_labels.jpg and jhmdb_samples.jpg. Samples: the first caption of every action, 60 frames, seeds 0 to 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy import ndarray

from crossdiff import CrossDiffPipeline
from crossdiff.annotations.actions import captions_for
from crossdiff.diffusion.lifting import LabelConfig, label
from crossdiff.files import load_npz
from crossdiff.models.model import CrossDiffModel
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.report.pictures import Drawer
from crossdiff.pipeline.run import Run
from crossdiff.progress import track
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.physics import measure_motion
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D, Motion2D, Motion3D
from crossdiff.viewing.stills import contact_sheet, evenly_spaced, motion_strip, write_picture
from crossdiff.viewing.titles import title_band

SEEDS, FRAMES, HEIGHT = 3, 60, 110
NAMES = 80  # pixels of the column that names the rows
LEGS = ("walk", "run", "push", "jump", "sit", "stand", "pick")
DRAWN = ("golf", "walk", "pullup", "sit", "pick", "clap")
JOINT = {name: number for number, name in enumerate(HUMANML3D.joint_names)}
ANKLES = [JOINT["l_ankle"], JOINT["r_ankle"]]
WRISTS = [JOINT["l_wrist"], JOINT["r_wrist"]]


def table(*heads: str) -> list[str]:
    """The first two lines of a table whose first column has no head."""
    return [f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]


def spelt(action: str) -> str:
    return action.lower().replace("-", "").replace("_", "")


def joints_of(features: ndarray) -> ndarray:
    return features_to_joints(torch.from_numpy(features)).numpy()


class Labels:
    """2D motion, label as lifted (not fitted to the clip), and label as kept, of each clip of a run that has one."""

    def __init__(self, run: Run, model: CrossDiffModel) -> None:
        self.run, self.model = run, model
        self.videos = run.ledger.videos()
        rows = {row.id: row for row in run.ledger.rows("build")}
        self.rows = [rows[row.id] for row in run.ledger.rows("pseudo", state="done")]

    def action(self, row: Row) -> str:
        return spelt(self.videos[row.parent.removesuffix("_t0")].label)

    def of(self, clip: str) -> tuple[Motion2D, ndarray, ndarray]:
        built = load_npz(self.run.features2d / f"{clip}.npz", ("features", "mask"))
        alone = label(self.model, [(built["features"], built["mask"])], LabelConfig(fit_view=False))[0].features
        kept = load_npz(self.run.find_label(clip), ("features",))["features"]
        return Motion2D.load(self.run.motion2d / f"{clip}.npz"), joints_of(alone), joints_of(kept)

    def table(self) -> str:
        """Medians over the clips of an action: ranges of the distance between the ankles and of the pelvis' height."""
        ranges: dict[str, list[list[float]]] = {action: [] for action in LEGS}
        for row in track(self.rows, "labels"):
            if (action := self.action(row)) not in ranges:
                continue
            flat, alone, kept = self.of(row.id)
            is_still = str(flat.camera) == "still"
            visible = flat.valid[: len(kept), ANKLES].all(axis=1)
            if not visible.any():
                continue
            moved = (flat.joints[: len(kept)], alone, kept)
            legs = [np.ptp(np.linalg.norm(j[:, ANKLES[0]] - j[:, ANKLES[1]], axis=-1)[visible]) for j in moved]
            ranges[action].append([*legs, *(np.ptp(j[:, 0, 1]) if is_still else np.nan for j in moved)])
        lines = table("clips", "ankles apart, 2D", "as lifted", "now", "pelvis, 2D", "as lifted", "now")
        for action, rows in ranges.items():
            medians = [np.median([x for x in column if np.isfinite(x)] or np.nan) for column in zip(*rows, strict=True)]
            values = [f"{x:.2f}" if np.isfinite(x) else "" for x in medians]
            lines.append(f"| {action} | {len(rows)} | {' | '.join(values)} |")
        return "\n".join(lines)

    def picture(self, path: Path) -> None:
        """For the longest clip of some actions: moments in 2D, the label as lifted, the label as kept."""
        rows = []
        for action in track(DRAWN, "pictures"):
            row = max((r for r in self.rows if self.action(r) == action), key=self._length, default=None)
            if row is None:
                continue
            flat, alone, kept = self.of(row.id)
            video = row.parent.removesuffix("_t0")
            keypoints = Keypoints2D.load(self.run.keypoints / f"{row.parent}.npz")
            times = flat.start + np.array(evenly_spaced(len(kept), 4)) / flat.fps
            drawer = Drawer(self.run, self.videos, path.parent)
            with TemporaryDirectory() as folder:
                frames = list(drawer.person_frames(video, keypoints, times, HEIGHT))
                sheet = read(contact_sheet(frames, Path(folder) / "2d.png", 4, 4, HEIGHT))
            rows.append((action, [sheet, strip(alone), strip(kept)]))
        write_picture(stacked(rows, ("2D motion", "as lifted", "as it is made")), path)

    def _length(self, row: Row) -> int:
        return len(Motion2D.load(self.run.motion2d / f"{row.id}.npz").joints)


def read(path: Path) -> ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def strip(joints: ndarray) -> ndarray:
    with TemporaryDirectory() as folder:
        return read(motion_strip(Motion3D(joints, fps=20.0), Path(folder) / "strip.png", poses=6, height=HEIGHT))


def stacked(rows: Sequence[tuple[str, Sequence[ndarray]]], heads: Sequence[str]) -> ndarray:
    """Rows of pictures in columns, each row's name before them."""
    widths = [max(pictures[n].shape[1] for _, pictures in rows) + 20 for n in range(len(heads))]
    bands = [title_band(("", *heads), (NAMES, *widths), 420)]
    for name, pictures in rows:
        band = np.full((max(p.shape[0] for p in pictures), NAMES + sum(widths), 3), 255, dtype=np.uint8)
        for picture, left in zip(pictures, np.cumsum([NAMES, *widths]).tolist(), strict=False):
            band[: picture.shape[0], left : left + picture.shape[1]] = picture
        place = (8, band.shape[0] // 2)
        cv2.putText(band, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60, 70, 90), 1, cv2.LINE_AA)
        bands.append(band)
    return np.vstack(bands)


def bend(j: ndarray) -> float:
    """Angle of the more bent elbow in degrees, mean over the frames."""
    angles = []
    for side in "lr":
        shoulder, elbow, wrist = (j[:, JOINT[f"{side}_{part}"]] for part in ("shoulder", "elbow", "wrist"))
        upper, lower = shoulder - elbow, wrist - elbow
        cosine = (upper * lower).sum(-1) / np.linalg.norm(upper, axis=-1) / np.linalg.norm(lower, axis=-1)
        angles.append(np.degrees(np.arccos(cosine.clip(-1, 1))).mean())
    return float(min(angles))


def between_wrists(j: ndarray) -> ndarray:
    return np.linalg.norm(j[:, WRISTS[0]] - j[:, WRISTS[1]], axis=-1)


def pace(j: ndarray) -> float:
    return float(np.linalg.norm(j[-1, 0, [0, 2]] - j[0, 0, [0, 2]]) / (len(j) - 1) * HUMANML3D.fps)


# What each action is about: of joints (F, 22, 3), in metres.
TELLING: dict[str, tuple[str, Callable[[ndarray], float]]] = {
    "clap": ("between the wrists, mean, m", lambda j: float(between_wrists(j).mean())),
    "pick": ("lowest wrist above the floor, m", lambda j: float(j[:, WRISTS, 1].min())),
    "pullup": ("both wrists above the head, share of frames", lambda j: above(j, "head", all)),
    "pour": ("the more bent elbow, degrees", bend),
    "golf": ("between the wrists, mean, m", lambda j: float(between_wrists(j).mean())),
    "wave": ("a wrist above the neck, share of frames", lambda j: above(j, "neck", any)),
    "walk": ("m/s", pace),
    "run": ("m/s", pace),
}


def above(j: ndarray, joint: str, which: Callable[[Sequence[bool]], bool]) -> float:
    return float(np.mean([which(frame[WRISTS, 1] > frame[JOINT[joint], 1]) for frame in j]))


def sampled(checkpoint: str, actions: Sequence[str], mixture: bool) -> dict[str, list[ndarray]]:
    """Joints by action, a motion for each seed."""
    pipe = CrossDiffPipeline.from_pretrained(checkpoint)
    prompts = [captions_for(action)[0] for action in actions]
    made = [pipe(prompts, num_frames=FRAMES, seed=seed, mixture=mixture) for seed in range(SEEDS)]
    return {action: [motions[n].joints for motions in made] for n, action in enumerate(actions)}


def samples(after: str, actions: Sequence[str], path: Path) -> str:
    runs = {
        (way, time): sampled(checkpoint, actions, way == "mixture")
        for way in track(("standard", "mixture"), "samples")
        for time, checkpoint in (("before", "stage1-small"), ("after", after))
    }
    lines = table("", "slide", "cm/s", "below floor, cm", "jerk", "bone drift, %", "head below pelvis, %")
    for (way, time), found in runs.items():
        motions = [j for of_action in found.values() for j in of_action]
        measures = np.mean([astuple(measure_motion(j, HUMANML3D)) for j in motions], axis=0)
        slide, speed, below, jerk, drift = measures
        down = 100 * np.mean([(j[:, JOINT["head"], 1] < j[:, 0, 1]).mean() for j in motions])
        values = f"{slide:.2f} | {speed:.0f} | {below:.2f} | {jerk:.0f} | {drift:.1f} | {down:.1f}"
        lines.append(f"| {way} | {time} | {values} |")
    lines += ["", *table(*(" ".join(key) for key in runs))]
    for action in (a for a in TELLING if a in actions):
        what, measure = TELLING[action]
        cells = [", ".join(f"{measure(j):.2f}" for j in found[action]) for found in runs.values()]
        lines.append(f"| {action}: {what} | {' | '.join(cells)} |")
    heads = tuple(f"{way}, {time}" for way, time in runs)
    write_picture(stacked([(a, [strip(found[a][0]) for found in runs.values()]) for a in actions], heads), path)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--after", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/img"))
    args = parser.parse_args()
    run = Run(args.run)
    made = Labels(run, CrossDiffPipeline.from_pretrained("stage1-small").model)
    print(made.table())
    made.picture(args.out / "jhmdb_labels.jpg")
    actions = sorted({spelt(video.label) for video in made.videos.values()})
    print("\n" + samples(str(args.after or run.finetuned), actions, args.out / "jhmdb_samples.jpg"))


if __name__ == "__main__":
    sys.exit(main())
