"""Families of actions, found by captions, and a dataset split by them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import field_validator

from crossdiff.config import Config
from crossdiff.data.captions import read_caption_file
from crossdiff.data.companions import SPLITS, read_ids
from crossdiff.data.subset import write_subset
from crossdiff.errors import InputError
from crossdiff.representation.layouts import Layout2D

KNOWN, NEW = "known", "new"
_SIDES = ("left", "right", "both")


class Family(Config):
    """Clips of an action, found by their captions."""

    name: str
    """Name of the action."""
    captions: str
    """Regular expression that any caption of a clip must match; case does not count."""
    sides: bool = False
    """Treat left, right and both as separate actions, where captions name them."""

    @field_validator("captions")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {pattern!r} ({error})") from None
        return pattern

    def holds(self, texts: Sequence[str]) -> bool:
        return any(re.search(self.captions, text, re.IGNORECASE) for text in texts)

    def action(self, texts: Sequence[str]) -> str:
        """The action of a clip of this family, such as `wave, left`."""
        if self.sides:
            for side in _SIDES:
                if all(re.search(rf"\b{side}\b", text, re.IGNORECASE) for text in texts):
                    return f"{self.name}, {side}"
        return self.name


@dataclass(frozen=True)
class FamilySplit:
    """A dataset split by families of actions."""

    known: Path
    """Dataset without the families."""
    new: Path
    """Dataset of the families."""
    counts: dict[str, dict[str, int]]
    """Numbers of clips by family and split."""


def family_of(texts: Sequence[str], families: Sequence[Family]) -> Family | None:
    """The first family that a clip with these captions belongs to."""
    return next((family for family in families if family.holds(texts)), None)


def split_by_family(data: Path, out: Path, families: Sequence[Family], layout: Layout2D = "paper") -> FamilySplit:
    """Write `out/known` and `out/new`, two datasets of the clips of `data`.

    A mirrored copy (`M` before the name) stays with its original; both are `new` if either is in a family. The test
    splits include the validation clips, because the metrics need many clips. Raises InputError if a family has no
    training clip, or no clips are left.
    """
    splits = {split: read_ids(data / f"{split}.txt") for split in SPLITS}
    texts = {
        i: [c.text for c in read_caption_file(data / "texts" / f"{i}.txt")] for ids in splits.values() for i in ids
    }
    named = _with_copies({i: family_of(t, families) for i, t in texts.items()})
    counts = {f.name: {s: sum(named[i] == f for i in ids) for s, ids in splits.items()} for f in families}
    empty = [name for name, of_split in counts.items() if not of_split["train"]]
    if empty:
        raise InputError(f"{data}: no training clip of {', '.join(empty)}; change the patterns of these families")
    for name, wanted in ((KNOWN, False), (NEW, True)):
        chosen = {s: [i for i in ids if (named[i] is not None) == wanted] for s, ids in splits.items()}
        chosen["test"] = chosen["test"] + chosen["val"]
        if not chosen["train"] or not chosen["test"]:
            raise InputError(f"{data}: no clip for the {name} actions in train.txt, or in test.txt and val.txt")
        write_subset(data, out / name, chosen, layout)
    return FamilySplit(out / KNOWN, out / NEW, counts)


def _with_copies(named: Mapping[str, Family | None]) -> dict[str, Family | None]:
    """The family of each clip, or else of its mirrored copy or original."""

    def twin(clip: str) -> str:
        return clip[1:] if clip.startswith("M") and clip[1:] in named else f"M{clip}"

    return {clip: family or named.get(twin(clip)) for clip, family in named.items()}
