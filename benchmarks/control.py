"""Long motions, paths, goals, kept frames and planted feet, each beside plain sampling.

    python benchmarks/control.py DATASET [--only rows,paths,...] [--clips 50] [--checkpoint stage2-small]

DATASET: folder of `crossdiff prepare`; captions, paths and goals come from its test clips. R-precision needs an
evaluator in DATASET/evaluators. Writes Markdown tables to standard output.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from crossdiff import CrossDiffPipeline, Edit
from crossdiff.data.captions import Caption, read_caption_file
from crossdiff.diffusion.controls import plant_sampled_feet
from crossdiff.diffusion.floor_path import FloorPath
from crossdiff.diffusion.goals import Goal
from crossdiff.evaluation.metrics import r_precision
from crossdiff.evaluators.evaluators import load_evaluator
from crossdiff.evaluators.shared_captions import SharedCaptions
from crossdiff.export.clean import clean_motion
from crossdiff.files import load_npy
from crossdiff.progress import track
from crossdiff.representation.features3d import canonicalise, joints_to_features_3d
from crossdiff.representation.foot_lock import plant_feet
from crossdiff.representation.physics import jerk, skating
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D

FPS = round(HUMANML3D.fps)
BATCH = 32
PARTS = 4
WALKS = ("walk", "run", "jog")
ENDS = ("l_wrist", "r_wrist", "l_ankle", "r_ankle")
FEET = list(HUMANML3D.feet)


@dataclass(frozen=True)
class Clip:
    """A test clip: its first caption, all captions, and joints (F, 22, 3) in metres, at most 196 frames."""

    caption: Caption
    captions: list[Caption]
    joints: ndarray

    @property
    def moved(self) -> float:
        """Length of the root's path in metres, without its sway."""
        return float(np.linalg.norm(np.diff(self.joints[::4, 0, ::2], axis=0), axis=1).sum())


def read_clips(data: Path) -> list[Clip]:
    """Test clips without mirrored copies, in a fixed random order."""
    names = [name for name in (data / "test.txt").read_text().split() if not name.startswith("M")]
    clips = []
    for name in np.random.default_rng(1).permutation(names):
        captions = read_caption_file(data / "texts" / f"{name}.txt")
        clips.append(Clip(captions[0], captions, load_npy(data / "new_joints" / f"{name}.npy")[:196].astype(float)))
    return clips


def batches_of(clips: Sequence[Clip], count: int) -> list[list[Clip]]:
    """Batches of clips that share no caption."""
    shared = SharedCaptions([clip.captions for clip in clips])
    drawn = shared.distinct_batches(np.arange(len(clips)), BATCH, np.random.default_rng(0))
    return [[clips[i] for i in batch] for batch in drawn[: max(count // BATCH, 1)]]


def features(joints: ndarray) -> ndarray:
    return joints_to_features_3d(torch.from_numpy(joints), parity=False).float().numpy()


def table(title: str, header: str, rows: Sequence[str]) -> None:
    columns = "|---" * header.count("|")
    print(f"\n### {title}\n\n| {header} |\n{columns}|---|")
    for row in rows:
        print(f"| {row} |", flush=True)


def rows_table(pipe: CrossDiffPipeline, clips: Sequence[Clip], count: int, evaluator: Path, **sampling: object) -> None:
    """Parts in a row against single motions of the same prompts, lengths and number."""
    judge = load_evaluator(evaluator)
    batches = batches_of([clip for clip in clips if len(clip.joints) >= 60], 2 * count)
    made: dict[str, list[ndarray]] = {"single motions": [], "in a row": []}
    at: dict[str, list[tuple[float, float]]] = {"inside": [], "transitions": [], "glued": []}
    for number, batch in enumerate(track(batches, "in a row")):
        lengths = [int(np.clip(len(clip.joints), 60, 120)) for clip in batch]
        texts = [clip.caption.text for clip in batch]
        for start in range(0, BATCH, PARTS):
            part = slice(start, start + PARTS)
            seed = BATCH * number + start
            single = [motion.joints for motion in pipe(texts[part], lengths[part], seed=seed, **sampling)]
            row = pipe.sequence(list(zip(texts[part], lengths[part], strict=True)), seed=seed, **sampling)[0].joints
            ends = np.cumsum(lengths[part])[:-1]
            made["single motions"] += single
            made["in a row"] += np.split(row, ends)
            at["inside"].append(smoothness(row, ends, inside=True))
            at["transitions"].append(smoothness(row, ends))
            at["glued"].append(smoothness(glued(single), ends))
    text = judge.embed_text([clip.caption for batch in batches for clip in batch])
    motions = {name: judge.embed_motion([features(j) for j in joints]) for name, joints in made.items()}
    blocks = [slice(start, start + BATCH) for start in range(0, len(text), BATCH)]
    table(
        f"Prompts in a row: R-precision of {len(text)} parts, {PARTS} in each motion",
        "parts | top 1 | top 2 | top 3",
        [
            " | ".join([name, *(f"{v:.3f}" for v in np.mean([r_precision(text[b], m[b]) for b in blocks], axis=0))])
            for name, m in motions.items()
        ],
    )
    inside = np.mean(at["inside"], axis=0)
    table(
        "Prompts in a row: transitions, half a second before and after",
        "frames | jerk, m/s³ | of the inside | speed of feet, m/s | of the inside",
        [
            f"{name} | {value[0]:.0f} | {value[0] / inside[0]:.2f} | {value[1]:.2f} | {value[1] / inside[1]:.2f}"
            for name, value in ((name, np.mean(values, axis=0)) for name, values in at.items())
        ],
    )


def smoothness(joints: ndarray, ends: ndarray, inside: bool = False) -> tuple[float, float]:
    """Mean jerk of all joints and mean speed of the feet, around the ends of parts or everywhere else."""
    near = (np.abs(np.arange(len(joints))[:, None] - ends) <= FPS // 2).any(axis=1)
    chosen = ~near if inside else near
    thirds = np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1).mean(axis=1) * FPS**3
    speeds = np.linalg.norm(np.diff(joints[:, FEET], axis=0), axis=-1).mean(axis=1) * FPS
    return float(thirds[chosen[2:-1]].mean()), float(speeds[chosen[1:]].mean())


def glued(motions: Sequence[ndarray]) -> ndarray:
    """Motions one after the other, each moved to where the one before ends."""
    place, parts = np.zeros(3), []
    for joints in motions:
        parts.append(joints + place)
        place = parts[-1][-1, 0] * [1, 0, 1]
    return np.concatenate(parts)


def paths_table(pipe: CrossDiffPipeline, clips: Sequence[Clip], count: int) -> None:
    """Paths that people walk: with their times, and at the model's own pace."""
    walks = [
        clip
        for clip in clips
        if len(clip.joints) >= 60 and clip.moved > 1.5 and any(word in clip.caption.text for word in WALKS)
    ][:count]
    plain, timed, paced = [], [], []
    for seed, clip in enumerate(track(walks, "paths")):
        text, floor = clip.caption.text, clip.joints[:, 0, ::2]
        plain.append((np.nan, pipe(text, len(floor), seed=seed)[0]))
        motion = pipe(text, seed=seed, path=FloorPath(floor, np.arange(len(floor)) / FPS))[0]
        timed.append((distance(motion, floor), motion))
        path = FloorPath(floor[[*range(0, len(floor) - 1, 10), -1]])
        motion = pipe.sequence([(text, pipe.frames_along(path, text, seed=seed))], seed=seed, path=path)[0]
        paced.append((distance(motion, floor, in_time=False), motion))
    real = [(0.0, Motion3D(clip.joints, FPS)) for clip in walks]
    table(
        f"Paths: {len(walks)} that people walk, run or jog, with the clips' captions",
        "motions | median distance from the path, cm | within 10 cm | feet that slide, raw | planted",
        [
            path_row(name, motions)
            for name, motions in (
                ("without a path", plain),
                ("with the path and its times", timed),
                ("with the path at the model's pace", paced),
                ("real", real),
            )
        ],
    )


def path_row(name: str, motions: Sequence[tuple[float, Motion3D]]) -> str:
    away = np.array([away for away, _ in motions])
    slides = [f"{sliding([m for _, m in motions], change):.3f}" for change in (lambda m: m, plant_feet)]
    found = "- | -" if np.isnan(away).all() else f"{100 * np.median(away):.1f} | {(away <= 0.1).mean():.2f}"
    return " | ".join([name, found, *slides])


def distance(motion: Motion3D, floor: ndarray, in_time: bool = True) -> float:
    """Mean distance in metres of the pelvis from a path (F, 2): from its point of the same time, or the nearest."""
    root = motion.joints[:, 0, ::2]
    if in_time:
        return float(np.linalg.norm(root - floor, axis=1).mean())
    return float(np.linalg.norm(root[:, None] - floor, axis=2).min(axis=1).mean())


def sliding(motions: Sequence[Motion3D], change: Callable[[Motion3D], Motion3D]) -> float:
    return float(np.mean([skating(change(motion).joints, HUMANML3D)[0] for motion in motions]))


def places_table(pipe: CrossDiffPipeline, clips: Sequence[Clip], count: int) -> None:
    """The first and last second of a clip kept, the frames between them generated."""
    kept = [slice(0, FPS), slice(-FPS, None)]
    held, free, made = [], [], []
    for seed, clip in enumerate(track([c for c in clips if len(c.joints) >= 80][:count], "kept frames")):
        given = canonicalise(torch.from_numpy(clip.joints)).numpy()
        edit = Edit.from_joints(clip.joints, kept)
        motion = pipe(clip.caption.text, seed=seed, edit=edit)[0]
        held.append(np.linalg.norm(motion.joints[-FPS:] - given[-FPS:], axis=-1).mean())
        made.append(motion)
        first = Edit.from_joints(clip.joints, kept[0])
        free.append(
            np.linalg.norm(
                pipe(clip.caption.text, seed=seed, edit=first)[0].joints[-FPS:] - given[-FPS:], axis=-1
            ).mean()
        )
    table(
        f"Kept frames: the first and last second of {len(held)} clips",
        "kept | median distance of the last second's joints from where they stood, cm | feet that slide, planted",
        [
            f"the first second alone | {100 * np.median(free):.1f} | -",
            f"both | {100 * np.median(held):.3f} | {sliding(made, plant_feet):.3f}",
        ],
    )


def goals_table(pipe: CrossDiffPipeline, clips: Sequence[Clip], count: int, aside: float = 0.0) -> None:
    """Points that a hand or foot of a real clip reaches, or `aside` metres beside, with the clip's caption."""
    rng = np.random.default_rng(2)
    away: dict[str, list[float]] = {"without the goal": [], "with the goal": [], "with the goal, feet planted": []}
    jerks: dict[str, list[float]] = {name: [] for name in away}
    for seed, clip in enumerate(track([c for c in clips if len(c.joints) >= 60][:count], "goals")):
        joints = canonicalise(torch.from_numpy(clip.joints)).numpy()
        frame = int(rng.integers(FPS, len(joints)))
        joint = ENDS[seed % len(ENDS)]
        direction = rng.normal(size=3)
        point = joints[frame, HUMANML3D.index(joint)] + aside * direction / np.linalg.norm(direction)
        point[1] = max(point[1], 0.1)
        goal = Goal(joint, (float(point[0]), float(point[1]), float(point[2])), frame / FPS)
        plain = pipe(clip.caption.text, len(joints), seed=seed)[0]
        led = pipe(clip.caption.text, len(joints), seed=seed, goals=[goal])[0]
        for name, motion in zip(away, (plain, led, plant_sampled_feet(led, goals=[goal])), strict=True):
            away[name].append(float(np.linalg.norm(motion.joints[frame, HUMANML3D.index(joint)] - point)))
            jerks[name].append(jerk(motion.joints, HUMANML3D))
    where = f", {100 * aside:.0f} cm aside" if aside else ""
    table(
        f"Goals: {len(jerks['with the goal'])} points that hands and feet of real clips reach{where}",
        "motions | median distance, cm | within 8 cm | jerk, m/s³",
        [
            f"{name} | {100 * np.median(v):.1f} | {np.mean(np.array(v) <= 0.08):.2f} | {np.mean(jerks[name]):.0f}"
            for name, v in away.items()
        ],
    )


def feet_table(pipe: CrossDiffPipeline, clips: Sequence[Clip], count: int) -> None:
    """Contacts that slide, of all motions rather than walks alone."""
    chosen = clips[: 2 * count]
    made = []
    for start in track(range(0, len(chosen), 16), "feet"):
        batch = chosen[start : start + 16]
        made += pipe([c.caption.text for c in batch], [len(c.joints) for c in batch], seed=start)
    real = [Motion3D(clip.joints, FPS) for clip in chosen]
    ways: dict[str, Callable[[Motion3D], Motion3D]] = {"raw": lambda m: m, "planted": plant_feet, "exported": exported}
    table(
        f"Feet: contacts that slide, {len(chosen)} captions of test clips",
        "motions | " + " | ".join(ways),
        [
            " | ".join([name, *(f"{sliding(motions, way):.3f}" for way in ways.values())])
            for name, motions in (("sampled", made), ("real", real))
        ],
    )


def exported(motion: Motion3D) -> Motion3D:
    return Motion3D(clean_motion(plant_feet(motion), foot_lock=True).rig.joints(), motion.fps)


def memory_table(checkpoint: str) -> None:
    """Peak memory of processes that sample motions of growing length."""
    rows = []
    for seconds in (10, 60, 240):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(f"{seconds} | {pool.apply(peak_memory, (checkpoint, seconds)):.0f}")
    table("Memory of long motions: parts of 5 seconds", "seconds | peak, MB", rows)


def peak_memory(checkpoint: str, seconds: int) -> float:
    pipe = CrossDiffPipeline.from_pretrained(checkpoint)
    parts = [("a person walks forward", 5 * FPS), ("a person waves", 5 * FPS)] * (seconds // 10)
    pipe.sequence(parts, num_inference_steps=2)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="rows,paths,places,goals,far-goals,feet,memory")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--checkpoint", default="stage2-small")
    parser.add_argument(
        "--mixture", action="store_true", help="rows: mixture sampling; needs --checkpoint stage1-small"
    )
    parser.add_argument("--evaluator", type=Path, help="default: DATASET/evaluators/tmr-all")
    args = parser.parse_args()
    pipe, clips = CrossDiffPipeline.from_pretrained(args.checkpoint), read_clips(args.data)
    evaluator = args.evaluator or args.data / "evaluators" / "tmr-all"
    tables = {
        "rows": lambda: rows_table(pipe, clips, args.clips, evaluator, mixture=args.mixture),
        "paths": lambda: paths_table(pipe, clips, args.clips),
        "places": lambda: places_table(pipe, clips, args.clips),
        "goals": lambda: goals_table(pipe, clips, args.clips),
        "far-goals": lambda: goals_table(pipe, clips, args.clips, aside=0.4),
        "feet": lambda: feet_table(pipe, clips, args.clips),
        "memory": lambda: memory_table(args.checkpoint),
    }
    for name in args.only.split(","):
        tables[name]()


if __name__ == "__main__":
    sys.exit(main())
