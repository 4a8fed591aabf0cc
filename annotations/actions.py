"""Actions by name: captions of the known ones, and actions named by files and folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml

_DATASETS = ("ucf101", "jhmdb")
# Words of file and folder names that say nothing about what is done.
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
    """The labels with captions of their own: `ucf101`'s, spelt as there, `jhmdb`'s, capitalised, or all."""
    return tuple(label for name in _DATASETS if dataset in (None, name) for label in _shipped(name))


def captions_for(label: str) -> list[str]:
    """Captions of an action label; `JumpingJack`, `jumping_jacks` and `Jumping Jacks 2` are the same label.

    An unknown label is put in a sentence: "a person is rowing" where its first word ends in -ing behind a vowel (not
    as "swing" does), "a person does archery" otherwise. A label without any words, or with generic ones alone
    (`IMG_0001`, `DCIM`, `my videos`), names no action: it has no captions.
    """
    if known := known_label(label):
        return list(next(_shipped(name)[known] for name in _DATASETS if known in _shipped(name)))
    if not names_something(label):
        return []
    words = label_words(label)
    verb = "is" if re.search(r"[aeiouy]\w*ing$", words[0]) else "does"
    return [f"a person {verb} {' '.join(words)}"]


def known_label(label: str) -> str | None:
    """The known action that a label is a spelling or another name of, generic words aside; None for any other."""
    words = label_words(label)
    return _lookup(words) or _lookup(_telling(words)) or None


def known_action(name: str) -> str | None:
    """The known action that a name holds among other words: `squat at home 3` holds `BodyWeightSquats`.

    Of several the one with the most words counts, then the first. None where there is none.
    """
    words = label_words(name)
    for length in range(min(len(words), _most_words()), 0, -1):
        for first in range(len(words) - length + 1):
            if (found := _lookup(words[first : first + length])) is not None:
                return found or None
    return None


def names_something(name: str) -> bool:
    """Whether a name holds any word that is not a generic one, such as `video` or `DCIM`."""
    return bool(_telling(label_words(name)))


def label_words(text: str) -> list[str]:
    """Lower-case words of a label or file name, split at capitals and punctuation, numbers left out."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[^\W\d_]+", spaced.lower())


def _telling(words: Iterable[str]) -> list[str]:
    """The words that may say what is done: no generic ones, no single letters."""
    return [word for word in words if not _GENERIC & {word, word.removesuffix("s")} and not re.fullmatch("[a-z]", word)]


def _lookup(words: Sequence[str]) -> str | None:
    """The known action of exactly these words; empty for one that is another action; None where nothing is known."""
    return next((_by_spelling()[key] for key in _spellings(words) if key in _by_spelling()), None)


def _spellings(words: Iterable[str]) -> tuple[str, str]:
    """Two keys of a name: in either one `PullUps`, `pull-up` and `pullups` agree, in the second `pulling up` too."""
    words = list(words)
    return "".join(word.removesuffix("s") for word in words), "".join(map(_stem, words))


def _stem(word: str) -> str:
    """`runs`, `running` and `run`, or `waves`, `waved` and `waving`, have one stem."""
    word = word.removesuffix("s")
    if bare := re.fullmatch(r"(\w*[aeiouy]\w+?)(ing|ed)", word):
        word = re.sub(r"([^aeioulsz])\1$", r"\1", bare[1])
    return word.removesuffix("e")


@cache
def _by_spelling() -> dict[str, str]:
    """Known labels by the spellings of all their names; empty for names of other actions."""
    others = _read("other_names")
    names = {label: [label, *others["names"].get(label, ())] for label in labels()}
    found = {key: label for label, called in names.items() for name in called for key in _spellings(label_words(name))}
    return found | {key: "" for name in others["not_known"] for key in _spellings(label_words(name))}


@cache
def _most_words() -> int:
    others = _read("other_names")
    names = [*labels(), *others["not_known"], *(name for called in others["names"].values() for name in called)]
    return max(len(label_words(name)) for name in names)


@cache
def _shipped(dataset: str) -> dict[str, list[str]]:
    """Captions by label."""
    found: dict[str, list[str]] = _read(dataset)
    return found


def _read(name: str) -> Any:
    return yaml.safe_load((resources.files("crossdiff.annotations") / f"{name}.yaml").read_text(encoding="utf-8"))
