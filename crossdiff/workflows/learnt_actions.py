"""The actions in the captions that a model has learnt, grouped by their verb."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from crossdiff.learnt import LearntCaption, Origin

# Words of a caption before its verb, besides adverbs in -ly.
_BEFORE_VERB = frozenset(
    {
        "a", "an", "the", "this", "that", "one", "two", "his", "her", "their", "he", "she", "they",
        "someone", "somebody", "person", "people", "figure", "human", "dancer", "fighter",
        "man", "woman", "guy", "lady", "boy", "girl", "child", "kid", "young", "old", "elderly",
        "is", "are", "was", "were", "being",
    }
)  # fmt: skip
# Stems of verbs that say little without the word after them, and what may stand between the two.
_LIGHT = frozenset({"do", "perform", "mak", "practic", "pretend", "act", "tak", "hav"})
_ARTICLES = frozenset({"a", "an", "the", "some", "like", "to", "be", "out"})


@dataclass(frozen=True)
class LearntAction:
    """Captions with the same verb."""

    name: str
    """The verb in its most frequent form, such as `walks`; after verbs such as `does`, with the next word."""
    captions: int
    """Different captions."""
    clips: int
    """Clips, counted once for each of their captions."""
    origins: tuple[Origin, ...]
    """Where their motion comes from."""
    example: str
    """The most frequent caption."""


def group_actions(captions: Iterable[LearntCaption]) -> list[LearntAction]:
    """Captions grouped by the first verb of each, the most frequent first.

    The verb is the first word after the subject, and its forms are those that share a stem (walks, walking). Verbs
    after it, as in `walks and turns left`, do not count. No grammar is used, so captions of another kind, such as
    those in other languages, are grouped by their first words.
    """
    groups: defaultdict[str, list[tuple[str, LearntCaption]]] = defaultdict(list)
    for caption in captions:
        key, form = _verb(caption.text)
        groups[key].append((form, caption))
    actions = [_action(members) for members in groups.values()]
    return sorted(actions, key=lambda one: (-one.clips, one.name))


def _action(members: list[tuple[str, LearntCaption]]) -> LearntAction:
    forms: Counter[str] = Counter()
    for form, caption in members:
        forms[form] += caption.clips
    captions = [caption for _, caption in members]
    return LearntAction(
        name=max(sorted(forms), key=forms.__getitem__),
        captions=len(captions),
        clips=sum(caption.clips for caption in captions),
        origins=tuple(sorted({caption.origin for caption in captions})),
        example=max(captions, key=lambda caption: caption.clips).text,
    )


def _verb(text: str) -> tuple[str, str]:
    """A key that forms of the same verb share, and the form in the text."""
    words = re.findall(r"[^\W_]+(?:[-'][^\W_]+)*", text.lower()) or [text.lower()]
    first = next((i for i, word in enumerate(words) if word not in _BEFORE_VERB and not word.endswith("ly")), 0)
    key, form = _stem(words[first]), words[first]
    if key in _LIGHT and (rest := [word for word in words[first + 1 :] if word not in _ARTICLES]):
        return f"{key} {_stem(rest[0])}", f"{form} {rest[0]}"
    return key, form


def _stem(word: str) -> str:
    """The word without the endings -s, -es, -ing, -ed, -e and a doubled consonant before these."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 2 and not word.endswith("ss"):
            word = word.removesuffix(ending)
            if ending in ("ing", "ed") and len(word) > 2 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word.removesuffix("e")
