"""The animated picture of the README: keypoints of the demo clip, their label, and a motion sampled from text, in step.

python benchmarks/readme_figure.py RUN docs/img/demo.gif [--prompt "a person waves with both hands"]

RUN is a finished run of `crossdiff demo`. Everything is drawn; no picture of the clip is shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from crossdiff import CrossDiffPipeline
from crossdiff.data.motion_files import read_motion
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D, Motion2D, Motion3D
from crossdiff.viewing.encode import Image, write_video
from crossdiff.viewing.label import axes_of_yaw
from crossdiff.viewing.overlay import draw_keypoints, drawing_of
from crossdiff.viewing.palette import PAPER
from crossdiff.viewing.scene import Scene
from crossdiff.viewing.titles import title_band
from crossdiff.viewing.video import MotionView, side_by_side

SIZE = 264  # pixels: three panels and the gaps between them are 800 wide
LETTERS = 1.45
LOOP = range(24, 60)  # frames
FINER = 2  # supersampling of the keypoints
MARGIN = 1.25  # side of the keypoints' panel relative to the person's extent


def main(run: Run, out: Path, prompt: str) -> None:
    label_id = min(row.id for row in run.ledger.rows("pseudo", state="done"))
    row = run.ledger.get("pseudo", label_id)
    label = read_motion(run.pseudo3d / f"{label_id}.npz")
    sample = CrossDiffPipeline.from_pretrained()(prompt, num_frames=120, seed=0)[0]
    (label_start, sample_start), length = best_loop([label, sample])
    times = Motion2D.load(run.motion2d / f"{label_id}.npz").start + np.arange(label_start, label_start + length) / 20
    panels = zip(
        keypoint_frames(run.load_keypoints(row.parent), times),
        *motion_frames(
            [cut(label, label_start, length), cut(sample, sample_start, length)],
            [axes_of_yaw(row.measures["yaw"]), None],
        ),
        strict=True,
    )
    titles = ["keypoints detected in a video", "pseudo-3D label lifted from them", f"sampled from “{prompt}”"]
    write_video(with_captions(panels, titles), out, label.fps)


def best_loop(motions: Sequence[Motion3D]) -> tuple[list[int], int]:
    """First frame of each motion, and a common length, such that the last poses are nearest to the first ones."""
    errors = {length: [return_errors(motion, length) for motion in motions] for length in LOOP}
    best = min(errors, key=lambda length: sum(error.min() for error in errors[length]))
    return [int(error.argmin()) for error in errors[best]], best


def return_errors(motion: Motion3D, length: int) -> ndarray:
    """Distance between the poses at frames n and n + length, plus that at n + 1: metres, mean over the joints."""
    pose = motion.joints - motion.joints[:, :1] * (1, 0, 1)
    distance = np.linalg.norm(pose[length:] - pose[:-length], axis=-1).mean(axis=-1)
    return distance[:-1] + distance[1:]


def cut(motion: Motion3D, start: int, length: int) -> Motion3D:
    return replace(motion, joints=motion.joints[start : start + length])


def keypoint_frames(person: Keypoints2D, times: ndarray) -> Iterator[Image]:
    """The person at each time (seconds), in a fixed square that fits all of them."""
    rows = np.abs(person.time - times[:, None]).argmin(axis=1)
    xy, score = person.xy[rows], person.score[rows]
    low, high = xy[score > 0].min(axis=0), xy[score > 0].max(axis=0)
    side = FINER * SIZE
    zoom = side / (MARGIN * (high - low).max())
    for points, scores in zip((xy - (low + high) / 2) * zoom + side / 2, score, strict=True):
        canvas = np.full((side, side, 3), PAPER, dtype=np.uint8)
        draw_keypoints(canvas, points, scores, drawing_of(person.keypoint_set))
        yield cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def motion_frames(motions: Sequence[Motion3D], axes: Sequence[ndarray | None]) -> list[Iterator[Image]]:
    """Frames of each motion, seen from `axes` (by default three-quarters from the front), at one scale."""
    views = [MotionView(motion, view_axes) for motion, view_axes in zip(motions, axes, strict=True)]
    distance = max(view.distance for view in views)
    return [frames_of(view, view.scene(SIZE, distance)) for view in views]


def frames_of(view: MotionView, scene: Scene) -> Iterator[Image]:
    return (view.draw(scene, n) for n in range(view.last + 1))


def with_captions(panels: Iterable[Sequence[Image]], captions: Sequence[str]) -> Iterator[Image]:
    """Panels side by side, each above its caption."""
    for row in side_by_side((list(frames) for frames in panels), [""] * len(captions), SIZE):
        widths = np.diff(np.linspace(0, row.shape[1], len(captions) + 1).astype(int)).tolist()
        yield np.concatenate([row, title_band(captions, widths, round(LETTERS * SIZE))])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--prompt", default="a person waves with both hands")
    args = parser.parse_args()
    main(Run(args.run), args.out, args.prompt)
