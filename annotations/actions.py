"""Captions of known actions, and actions in the names of files and folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

_DATASETS = ("ucf101", "jhmdb", "penn")
_HOLD_OUT_EVERY = 5  # every fifth sentence is held out
CaptionPart = Literal["all", "train", "held-out"]
# Words of file and folder names that name no action.
_GENERIC = frozenset(
    """
    album all android apple archive backup batch cam camera canon capture clip copy cut data dataset day dcim demo
    desktop dji document download downloaded drive dropbox dsc edit edited example export facebook file film final
    folder footage gallery google gopro hmdb icloud image img in input instagram iphone jhmdb kinetics library media
    misc mobile mov movie mp my new nikon old onedrive original other out output own panasonic part people person phone
    photo picture pixel raw rec record recorded recording sample samsung screen session set short snapchat sony sorted
    source split src take takeout telegram temp test testing tiktok tmp train training ucf unknown unlabeled unlabelled
    unsorted untitled upload uploaded val valid validation vid video whatsapp wild youtube zoom
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    """.split()  # noqa: SIM905 - a list of strings fills a page
)


@cache
def labels(dataset: str | None = None) -> tuple[str, ...]:
    """The labels with captions: those of `ucf101` in its spelling, those of `jhmdb` and `penn` capitalised, or all."""
    return tuple(label for name in _DATASETS if dataset in (None, name) for label in _shipped(name))


def captions_for(label: str, part: CaptionPart = "all") -> list[str]:
    """Captions of an action label; `JumpingJack`, `jumping_jacks` and `Jumping Jacks 2` are the same label.

    part: every fifth sentence of a known action is `held-out`: a model that was trained on the others (`train`) can be
    tested on it. An unknown action has one sentence, which is not held out.

    An unknown label is put into a sentence: "a person is rowing" if its first word ends in -ing after a vowel (unlike
    "swing"), else "a person does archery". A label without words, or with generic ones only (`IMG_0001`, `DCIM`,
    `my videos`), names no action and has no captions.
    """
    if known := known_label(label):
        captions = next(_shipped(name)[known] for name in _DATASETS if known in _shipped(name))
        held_out = captions[_HOLD_OUT_EVERY - 1 :: _HOLD_OUT_EVERY]
        return {"all": list(captions), "train": [c for c in captions if c not in held_out], "held-out": held_out}[part]
    if part == "held-out" or not names_something(label):
        return []
    words = label_words(label)
    verb = "is" if re.search(r"[aeiouy]\w*ing$", words[0]) else "does"
    return [f"a person {verb} {' '.join(words)}"]


def known_label(label: str) -> str | None:
    """The known action that a label names, in any spelling and with any generic words; None if there is none."""
    words = label_words(label)
    return _lookup(words) or _lookup(_specific(words)) or None


def known_action(name: str) -> str | None:
    """The known action that a name contains: `BodyWeightSquats` for `squat at home 3`; None if there is none.

    Of several, the one with the most words, then the first.
    """
    words = label_words(name)
    for length in range(min(len(words), _most_words()), 0, -1):
        for first in range(len(words) - length + 1):
            if (action := _lookup(words[first : first + length])) is not None:
                return action or None
    return None


def names_something(name: str) -> bool:
    """Whether a name contains any word that is not generic, such as `video` or `DCIM`."""
    return bool(_specific(label_words(name)))


def label_words(text: str) -> list[str]:
    """Lower-case words of a label or file name, split at capitals and punctuation, numbers left out."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[^\W\d_]+", spaced.lower())


def _specific(words: Iterable[str]) -> list[str]:
    """The words that may name an action: neither generic words nor single letters."""
    return [word for word in words if not _GENERIC & {word, word.removesuffix("s")} and not re.fullmatch("[a-z]", word)]


def _lookup(words: Sequence[str]) -> str | None:
    """The known action with exactly these words; empty for the name of another action; None for unknown words."""
    return next((_by_spelling()[key] for key in _spellings(words) if key in _by_spelling()), None)


def _spellings(words: Iterable[str]) -> tuple[str, str]:
    """Two keys of a name: both are the same for `PullUps`, `pull-up` and `pullups`, the second for `pulling up` too."""
    words = list(words)
    return "".join(word.removesuffix("s") for word in words), "".join(map(_stem, words))


def _stem(word: str) -> str:
    """The stem of a word: the same for `runs`, `running` and `run`, and for `waves`, `waved` and `waving`."""
    word = word.removesuffix("s")
    if bare := re.fullmatch(r"(\w*[aeiouy]\w+?)(ing|ed)", word):
        word = re.sub(r"([^aeioulsz])\1$", r"\1", bare[1])
    return word.removesuffix("e")


@cache
def _by_spelling() -> dict[str, str]:
    """Known labels by the spellings of all their names; empty for names of other actions."""
    others = _read("other_names")
    names = {label: [label, *others["names"].get(label, ())] for label in labels()}
    known = {key: label for label, called in names.items() for name in called for key in _spellings(label_words(name))}
    return known | {key: "" for name in others["not_known"] for key in _spellings(label_words(name))}


@cache
def _most_words() -> int:
    others = _read("other_names")
    names = [*labels(), *others["not_known"], *(name for called in others["names"].values() for name in called)]
    return max(len(label_words(name)) for name in names)


@cache
def _shipped(dataset: str) -> dict[str, list[str]]:
    """Captions by label."""
    captions: dict[str, list[str]] = _read(dataset)
    return captions


def _read(name: str) -> Any:
    return yaml.safe_load((resources.files("crossdiff.annotations") / f"{name}.yaml").read_text(encoding="utf-8"))
