"""3D motion of known actions, of some people to learn from and of others to compare with."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from numpy import ndarray

from crossdiff.annotations.actions import captions_for
from crossdiff.data.companions import companion_suffix
from crossdiff.data.sources import RawSource, open_source
from crossdiff.errors import InputError
from crossdiff.studies.actions.windows import FRAMES

# UTD-MHAD: the subjects that the classifier learns from.
_LEARN_SUBJECTS = frozenset("12")
# HDM05's actions, as its index names them, and prompts for them.
HDM05_PROMPTS = {
    "deposit on floor": "a person puts something down on the floor",
    "grab high": "a person reaches up and grabs something",
    "hop on both legs": "a person hops on both legs",
    "jog in a left circle": "a person jogs in a circle to the left",
    "kick front, left": "a person kicks with the left leg",
    "left elbow to right knee": "a person brings the left elbow to the right knee",
    "lie down on the floor": "a person lies down on the floor",
    "rotate both arms backward": "a person rotates both arms backwards",
    "sneak": "a person sneaks",
    "squat": "a person squats",
    "throw basketball": "a person throws a basketball",
}


@dataclass
class LabelledMotions:
    """Motions and the action of each."""

    motions: list[Float[ndarray, "f 22 3"]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ActionTruth:
    """What a classifier learns from, and real motion of other people; prompts: a sentence for each action."""

    learn: LabelledMotions
    others: LabelledMotions
    prompts: dict[str, str]
    learn_name: str
    others_name: str


def read_truth(path: Path) -> ActionTruth:
    """Read packed motion with an index beside it: `index_utd.csv` for `motions_utd.npz`, with a row for each clip.

    With the columns `also_in_2d` (an action of Penn Action or JHMDB) and `subject`, subjects 1 and 2 are learnt from.
    With the column `action`, the actions of `HDM05_PROMPTS` are taken; the training list is learnt from. Clips shorter
    than a window and actions without motion in both parts are left out. InputError if no two actions are left.
    """
    index = path.with_name(f"index{companion_suffix(path)}.csv")
    if not index.is_file():
        raise InputError(
            f"{path}: needs {index.name} beside it, with the columns id, subject and also_in_2d, or action"
        )
    with index.open(encoding="utf-8", newline="") as file:
        about = {row["id"]: row for row in csv.DictReader(file)}
    by_subject = "also_in_2d" in next(iter(about.values()), {})
    source = open_source(path)
    learn, others = LabelledMotions(), LabelledMotions()
    labelled = _by_subject(about) if by_subject else _by_list(about, source)
    of_clip = {clip_id: (label, first) for clip_id, label, first in labelled}
    for clip in source.clips:
        label, first = of_clip.get(clip.id, ("", False))
        if label and len(joints := clip.read().joints) >= FRAMES:
            part = learn if first else others
            part.motions.append(joints)
            part.labels.append(label)
    actions = sorted(set(learn.labels) & set(others.labels))
    if len(actions) < 2:
        raise InputError(f"{path}: has {len(actions)} known actions with motion of both parts; a classifier needs two")
    prompts = {action: captions_for(action)[0] if by_subject else HDM05_PROMPTS[action] for action in actions}
    names = ("subjects 1-2", "subjects 3-4") if by_subject else ("the training list", "the other lists")
    return ActionTruth(_only(learn, actions), _only(others, actions), prompts, *names)


def _by_subject(about: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, bool]]:
    """Clip, action, whether it is learnt from; several actions of film are no label."""
    for clip_id, row in about.items():
        if (label := row["also_in_2d"]) and "|" not in label:
            yield clip_id, label, row["subject"] in _LEARN_SUBJECTS


def _by_list(about: dict[str, dict[str, str]], source: RawSource) -> Iterator[tuple[str, str, bool]]:
    for clip_id, row in about.items():
        if (label := row.get("action", "")) in HDM05_PROMPTS and clip_id in source.splits:
            yield clip_id, label, source.splits[clip_id] == "train"


def _only(part: LabelledMotions, actions: list[str]) -> LabelledMotions:
    kept = [(m, label) for m, label in zip(part.motions, part.labels, strict=True) if label in actions]
    return LabelledMotions([m for m, _ in kept], [label for _, label in kept])
