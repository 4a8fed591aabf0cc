"""Which actions a model's motions show: measures of docs/experiments/wild_actions.md.

python benchmarks/actions.py --run runs/wild --poses pose2d_penn.npz --truth eval/motions_utd.npz --out actions \
    [--standard stage2-small] [--mixture stage1-small] [--only film space prompts sheet]

--run: a run with Penn Action's motions, made by the commands of that page; --poses: the file they were imported from,
for its splits and views; --truth: 3D motion that nothing was trained on, with its index_*.csv. Prints tables in
Markdown and writes actions_sheet.jpg. Samples are kept in --out and used again. One core, about half an hour.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from action_sheet import write_sheet
from numpy import ndarray

from crossdiff import CrossDiffPipeline
from crossdiff.annotations.actions import captions_for
from crossdiff.data.sources import open_source
from crossdiff.evaluation.metrics import frechet_distance
from crossdiff.files import load_npz, save_npz
from crossdiff.pipeline.run import Run
from crossdiff.progress import track
from crossdiff.studies.actions.classifier import WindowClassifier, train_classifier
from crossdiff.studies.actions.prompts import prompt_checks
from crossdiff.studies.actions.windows import FRAMES, Windows, flat_windows, hide, seen_from, solid_windows
from crossdiff.types import Motion2D, Motion3D

LENGTH, SEEDS, CHECK_SEEDS, SHEET_SEEDS, BATCH = 60, 16, 40, 3, 16
VIEWS = 4  # from which each sampled motion is seen
CLASSIFIERS = 3  # trained with different seeds; their accuracies are averaged
TWICE_STANDARD = 1.96
WAYS = ("standard", "mixture")
SHEET = (  # prompts of the contact sheet
    "a person walks forward", "a person runs in place", "a person waves with the right hand",
    "a person raises both hands", "a person kicks with the right leg", "a person bows",
    "a person does jumping jacks", "a person squats", "a person sits down on a chair", "a person throws a ball",
    "a person plays the guitar", "a person serves in tennis", "a person runs forward", "a person walks backwards",
    "a person turns around", "a person jumps up", "a person dances", "a person punches",
    "a person kicks with the left leg", "a person waves with the left hand", "a person claps",
    "a person does push ups", "a person does sit ups", "a person does pull ups", "a person does a bench press",
    "a person lifts a barbell over the head", "a person jumps rope", "a person pitches a baseball",
    "a person swings a baseball bat", "a person swings a golf club", "a person bowls in a bowling alley",
    "a person hits a forehand in tennis", "a person picks something up from the floor",
    "a person stands up from a seat", "a person catches a ball", "a person pours a drink into a glass",
)  # fmt: skip


class Sampler:
    """Motions of prompts and seeds, both ways; those made before are read from a folder."""

    def __init__(self, checkpoints: Mapping[str, str], folder: Path) -> None:
        self.checkpoints, self.folder = checkpoints, folder
        self._pipelines: dict[str, CrossDiffPipeline] = {}

    def motions(self, way: str, prompt: str, seeds: int) -> list[ndarray]:
        """Joints (60, 22, 3) of seeds 0, 1, ..."""
        path = self.folder / way / f"{re.sub(r'[^a-z]+', '-', prompt.lower()).strip('-')}.npz"
        made = list(load_npz(path, ("joints",))["joints"]) if path.is_file() else []
        while len(made) < seeds:
            batch = range(len(made), min(len(made) + BATCH, seeds))
            prompts = [prompt] * len(batch)
            made += [m.joints for m in self._pipeline(way)(prompts, LENGTH, seed=list(batch), mixture=way == "mixture")]
            path.parent.mkdir(parents=True, exist_ok=True)
            save_npz(path, joints=np.stack(made))
        return made[:seeds]

    def _pipeline(self, way: str) -> CrossDiffPipeline:
        if way not in self._pipelines:
            self._pipelines[way] = CrossDiffPipeline.from_pretrained(self.checkpoints[way])
        return self._pipelines[way]

    def of_actions(self, way: str, actions: Sequence[str]) -> tuple[list[ndarray], list[str]]:
        """Motions of the first caption of each action, and the action of each motion."""
        motions = [self.motions(way, captions_for(a)[0], SEEDS) for a in track(actions, f"{way} samples")]
        return [m for of_action in motions for m in of_action], [a for a in actions for _ in range(SEEDS)]


class Film:
    """Penn Action's 2D motions of a run, with the data set's own splits and views."""

    def __init__(self, run: Run, poses: Path) -> None:
        z = load_npz(poses, ("label", "split", "source_number", "view"))
        rows = zip(*(z[name].tolist() for name in ("label", "source_number", "split", "view")), strict=True)
        about = {f"penn_{label}_{number:04d}": (label, split, view) for label, number, split, view in rows}
        self.motions: dict[str, list[Motion2D]] = {"train": [], "test": []}
        self.labels: dict[str, list[str]] = {"train": [], "test": []}
        self.views: dict[str, list[str]] = {}
        for row in run.ledger.rows("build", state="done"):
            label, split, view = about.get(row.parent.removesuffix("_t0"), ("", "", ""))
            motion = Motion2D.load(run.motion2d / f"{row.id}.npz") if label else None
            if motion is not None and len(motion.joints) >= FRAMES:
                self.motions[split].append(motion)
                self.labels[split].append(label)
                self.views.setdefault(label, []).append(view)

    @cached_property
    def windows(self) -> dict[str, Windows]:
        return {split: flat_windows(motions) for split, motions in self.motions.items()}


def film(sampler: Sampler, run: Run, poses: Path) -> str:
    """Accuracy by action of a classifier of film, on real test clips and on sampled motions seen from Penn's sides."""
    data = Film(run, poses)
    actions = sorted(set(data.labels["train"]))
    masks = data.windows["train"].seen
    correct: dict[str, dict[str, list[float]]] = {name: {a: [] for a in actions} for name in ("real", *WAYS)}
    sampled = {way: sampler.of_actions(way, actions) for way in WAYS}
    for seed in range(CLASSIFIERS):
        rng = np.random.default_rng(seed)
        classifier = train_classifier(data.windows["train"], data.labels["train"], seed=seed, masks=masks)
        shown = hide(data.windows["test"], masks, rng, 1)
        _count(correct["real"], classifier, shown, data.labels["test"])
        for way, (motions, labels) in sampled.items():
            seen = [seen_from(m, str(rng.choice(data.views[a])), rng) for m, a in _repeated(motions, labels)]
            _count(correct[way], classifier, hide(flat_windows(seen), masks, rng, 2), np.repeat(labels, VIEWS).tolist())
    counts = {a: data.labels["test"].count(a) for a in actions}
    return _accuracies(correct, counts, 1 / len(actions))


def _repeated(motions: Sequence[ndarray], labels: Sequence[str]) -> list[tuple[ndarray, str]]:
    return [pair for pair in zip(motions, labels, strict=True) for _ in range(VIEWS)]


def space(sampler: Sampler, truth: Path) -> str:
    """Accuracy of a classifier of two subjects' 3D motion, and the Frechet distance of its features."""
    with next(truth.parent.glob("index_*.csv")).open(encoding="utf-8", newline="") as file:
        about = {row["id"]: row for row in csv.DictReader(file)}
    parts: dict[str, tuple[list[ndarray], list[str]]] = {"1-2": ([], []), "3-4": ([], [])}
    for clip in open_source(truth, None, None, None).clips:
        label, subject = (about[clip.id][name] for name in ("also_in_2d", "subject"))
        if label and "|" not in label:
            motions, labels = parts["1-2" if subject in "12" else "3-4"]
            motions.append(clip.read().joints)
            labels.append(label)
    actions = sorted(set(parts["1-2"][1]))
    windows = {name: solid_windows(motions) for name, (motions, _) in parts.items()}
    labels_of = {name: labels for name, (_, labels) in parts.items()}
    for way in WAYS:
        motions, labels_of[way] = sampler.of_actions(way, actions)
        windows[way] = solid_windows(motions)
    correct: dict[str, dict[str, list[float]]] = {name: {a: [] for a in actions} for name in ("3-4", *WAYS)}
    distances: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in range(CLASSIFIERS):
        classifier = train_classifier(windows["1-2"], labels_of["1-2"], seed=seed)
        for name, by_action in correct.items():
            _count(by_action, classifier, windows[name], labels_of[name])
        features = {name: classifier.features(part) for name, part in windows.items()}
        between = frechet_distance(features["3-4"], features["1-2"])
        for way in WAYS:
            distances[way].append(frechet_distance(features[way], features["1-2"]) - between)
    counts = {a: labels_of["3-4"].count(a) for a in actions}
    table = _accuracies({"real": correct.pop("3-4"), **correct}, counts, 1 / len(actions))
    beyond = [f"{way} {np.mean(d):.2f} ({min(d):.2f} to {max(d):.2f})" for way, d in distances.items()]
    return f"{table}\n\nFrechet distance to subjects 1-2, less that of subjects 3-4: {'; '.join(beyond)}"


def _count(
    by_action: dict[str, list[float]], classifier: WindowClassifier, windows: Windows, labels: Sequence[str]
) -> None:
    """Add whether each clip was recognised, by its action."""
    for predicted, label in zip(classifier.predict(windows), labels, strict=True):
        by_action[label].append(predicted == label)


def _accuracies(correct: Mapping[str, Mapping[str, Sequence[float]]], counts: Mapping[str, int], chance: float) -> str:
    """A row for each action, their mean with its interval over the clips, the mean relative to real motion, chance."""
    lines = [f"| action | real clips | {' | '.join(correct)} |", "|---|---|" + "---|" * len(correct)]
    for action, count in counts.items():
        lines.append(f"| {action} | {count} | {' | '.join(f'{np.mean(of[action]):.2f}' for of in correct.values())} |")
    means = {name: float(np.mean([np.mean(values) for values in of.values()])) for name, of in correct.items()}
    widths = {name: _interval(of) for name, of in correct.items()}
    lines.append("| mean | | " + " | ".join(f"{m:.2f} ± {widths[name]:.2f}" for name, m in means.items()) + " |")
    lines.append("| relative to real | | " + " | ".join(f"{m / means['real']:.2f}" for m in means.values()) + " |")
    lines.append(f"| chance | | {' | '.join([f'{chance:.2f}'] * len(means))} |")
    return "\n".join(lines)


def _interval(correct: Mapping[str, Sequence[float]]) -> float:
    """Half the 95 % interval of the mean over actions; the classifiers' answers on one clip count as one."""
    variances = [np.var(values) * CLASSIFIERS / len(values) for values in correct.values()]
    return TWICE_STANDARD * float(np.sqrt(np.sum(variances))) / len(variances)


def prompts(sampler: Sampler) -> str:
    """Fraction of the seeds whose motion keeps to the side, the place or the beginning that its prompt names."""
    lines = [f"| prompt | {' | '.join(WAYS)} |", "|---|---|---|"]
    for prompt, holds in track(prompt_checks(), "prompts"):
        shares = [np.mean([holds(m) for m in sampler.motions(way, prompt, CHECK_SEEDS)]) for way in WAYS]
        lines.append(f"| {prompt} | {' | '.join(f'{share:.2f}' for share in shares)} |")
    return "\n".join(lines)


def sheet(sampler: Sampler, out: Path) -> str:
    """A strip of every prompt and seed, one picture for each way of sampling."""
    for way in WAYS:
        motions = {p: [Motion3D(m, 20.0) for m in sampler.motions(way, p, SHEET_SEEDS)] for p in track(SHEET, way)}
        write_sheet(motions, out / f"actions_{way}.jpg")
    return f"pictures in {out}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--poses", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--out", type=Path, default=Path("actions"))
    parser.add_argument("--standard", default="stage2-small")
    parser.add_argument("--mixture", default="stage1-small")
    measures = ("film", "space", "prompts", "sheet")
    parser.add_argument("--only", nargs="*", choices=measures, default=measures)
    args = parser.parse_args()
    torch.set_num_threads(1)
    sampler = Sampler({"standard": args.standard, "mixture": args.mixture}, args.out)
    tables = {
        "film": lambda: film(sampler, Run(args.run), args.poses),
        "space": lambda: space(sampler, args.truth),
        "prompts": lambda: prompts(sampler),
        "sheet": lambda: sheet(sampler, args.out),
    }
    for name in args.only:
        print(f"{name}\n\n{tables[name]()}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
