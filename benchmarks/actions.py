"""Which actions a model's motions show: measures of docs/experiments/wild_actions.md.

python benchmarks/actions.py --run runs/wild --poses pose2d_penn.npz --truth eval/motions_utd.npz \
    --truth motions_more.npz --out actions [--standard stage2-small] [--mixture stage1-small] \
    [--evaluators dataset/evaluators/t2m-all] [--only film sentences space prompts sheet]

--run: a run with Penn Action's motions, made by the commands of that page; --poses: the file they were imported from,
for its splits and views; --truth: 3D motion that nothing was trained on, with its index_*.csv (UTD-MHAD, HDM05), may be
repeated; --evaluators: folder of a trained evaluator, for the R-precision of held-out sentences. Prints tables in
Markdown and writes actions_sheet.jpg. Samples are kept in --out and used again. One core, about an hour.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from action_sheet import write_sheet

from crossdiff.annotations.actions import captions_for
from crossdiff.evaluation.metrics import frechet_distance
from crossdiff.evaluators.evaluators import load_evaluator
from crossdiff.pipeline.run import Run
from crossdiff.progress import track
from crossdiff.studies.actions.accuracy import Recognition
from crossdiff.studies.actions.classifier import train_classifier
from crossdiff.studies.actions.film_judge import AnnotatedFilm, FilmJudge
from crossdiff.studies.actions.prompts import prompt_checks
from crossdiff.studies.actions.samples import WAYS, ActionSampler
from crossdiff.studies.actions.sentences import TOP, retrieval, sentence_parts
from crossdiff.studies.actions.truth import read_truth
from crossdiff.studies.actions.windows import solid_windows
from crossdiff.types import Motion3D

SEEDS, CHECK_SEEDS, SHEET_SEEDS = 16, 40, 3
CLASSIFIERS = 3  # trained with different seeds; their accuracies are averaged
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


@cache
def penn(run: Path, poses: Path) -> AnnotatedFilm:
    return AnnotatedFilm(Run(run), poses)


def film(sampler: ActionSampler, data: AnnotatedFilm) -> str:
    """Accuracy by action of a classifier of film, on real test clips and on sampled motions seen from Penn's sides."""
    first = {action: captions_for(action)[:1] for action in data.actions}
    sampled = {way: sampler.of_actions(way, first, SEEDS) for way in WAYS}
    found = Recognition(("real", *WAYS), data.actions, CLASSIFIERS)
    for seed in range(CLASSIFIERS):
        judge = FilmJudge(data, seed)
        found.add("real", *judge.real())
        for way, made in sampled.items():
            found.add(way, *judge.sampled(made.motions, made.labels))
    return found.table({a: data.labels["test"].count(a) for a in data.actions}, "real clips")


def sentences(sampler: ActionSampler, data: AnnotatedFilm, evaluators: Sequence[Path]) -> str:
    """The same classifiers on motions of sentences that training held out, beside those that it had; R-precision."""
    parts = sentence_parts(data.actions)
    names = {"trained": parts.trained, "held out": parts.held_out}
    made = {(way, name): sampler.of_actions(way, own, SEEDS) for way in WAYS for name, own in names.items()}
    found = {way: Recognition(list(names), list(parts.trained), CLASSIFIERS) for way in WAYS}
    for seed in range(CLASSIFIERS):
        judge = FilmJudge(data, seed)
        for (way, name), one in made.items():
            found[way].add(name, *judge.sampled(one.motions, one.labels))
    text = [f"{way}\n\n{found[way].table(dict.fromkeys(parts.trained, SEEDS), 'motions')}" for way in WAYS]
    for folder in evaluators:
        evaluator = load_evaluator(folder)
        for way in WAYS:
            top = {name: float(retrieval(evaluator, made[way, name])[TOP - 1]) for name in names}
            said = ", ".join(f"{name} {value:.3f}" for name, value in top.items())
            ratio = f"{top['held out'] / top['trained']:.2f}" if top["trained"] else "-"
            text.append(
                f"R-precision, top {TOP} of {len(parts.trained)} actions ({folder.name}), {way}: {said}, {ratio}"
            )
    return "\n\n".join(text)


def space(sampler: ActionSampler, path: Path) -> str:
    """Accuracy of a classifier of some people's 3D motion, and the Frechet distance of its features."""
    truth = read_truth(path)
    actions = list(truth.prompts)
    labels = {"real": truth.others.labels}
    windows = {"learn": solid_windows(truth.learn.motions), "real": solid_windows(truth.others.motions)}
    for way in WAYS:
        made = sampler.of_actions(way, {action: [prompt] for action, prompt in truth.prompts.items()}, SEEDS)
        labels[way], windows[way] = made.labels, solid_windows(made.motions)
    found = Recognition(("real", *WAYS), actions, CLASSIFIERS)
    distances: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in range(CLASSIFIERS):
        classifier = train_classifier(windows["learn"], truth.learn.labels, seed=seed)
        for name in found.correct:
            found.add(name, classifier.predict(windows[name]), labels[name])
        features = {name: classifier.features(part) for name, part in windows.items()}
        between = frechet_distance(features["real"], features["learn"])
        for way in WAYS:
            distances[way].append(frechet_distance(features[way], features["learn"]) - between)
    table = found.table({a: labels["real"].count(a) for a in actions}, "real clips")
    beyond = [f"{way} {np.mean(d):.2f} ({min(d):.2f} to {max(d):.2f})" for way, d in distances.items()]
    what = f"Frechet distance to {truth.learn_name}, less that of {truth.others_name}"
    return f"{path.name}\n\n{table}\n\n{what}: {'; '.join(beyond)}"


def prompts(sampler: ActionSampler) -> str:
    """Fraction of the seeds whose motion keeps to the side, the place or the beginning that its prompt names."""
    lines = [f"| prompt | {' | '.join(WAYS)} |", "|---|---|---|"]
    for prompt, holds in track(prompt_checks(), "prompts"):
        shares = [np.mean([holds(m) for m in sampler.motions(way, prompt, CHECK_SEEDS)]) for way in WAYS]
        lines.append(f"| {prompt} | {' | '.join(f'{share:.2f}' for share in shares)} |")
    return "\n".join(lines)


def sheet(sampler: ActionSampler, out: Path) -> str:
    """A strip of every prompt and seed, one picture for each way of sampling."""
    for way in WAYS:
        motions = {p: [Motion3D(m, 20.0) for m in sampler.motions(way, p, SHEET_SEEDS)] for p in track(SHEET, way)}
        write_sheet(motions, out / f"actions_{way}.jpg")
    return f"pictures in {out}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--poses", type=Path)
    parser.add_argument("--truth", type=Path, action="append", default=[])
    parser.add_argument("--evaluators", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("actions"))
    parser.add_argument("--standard", default="stage2-small")
    parser.add_argument("--mixture", default="stage1-small")
    measures = ("film", "sentences", "space", "prompts", "sheet")
    parser.add_argument("--only", nargs="*", choices=measures, default=measures)
    args = parser.parse_args()
    torch.set_num_threads(1)
    sampler = ActionSampler({"standard": args.standard, "mixture": args.mixture}, args.out)
    tables = {
        "film": lambda: film(sampler, penn(args.run, args.poses)),
        "sentences": lambda: sentences(sampler, penn(args.run, args.poses), args.evaluators),
        "space": lambda: "\n\n".join(space(sampler, path) for path in args.truth),
        "prompts": lambda: prompts(sampler),
        "sheet": lambda: sheet(sampler, args.out),
    }
    for name in args.only:
        print(f"{name}\n\n{tables[name]()}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
