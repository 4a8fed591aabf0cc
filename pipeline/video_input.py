"""A video given to a command: its id, label and the names that a captions file may use for it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from crossdiff.annotations.actions import known_action, known_label, names_something
from crossdiff.annotations.captions import plain_name
from crossdiff.wording import one_line

_UCF101_NAME = re.compile(r"v_(?P<label>[A-Za-z]+)_g(?P<group>\d+)_c\d+")
# In bytes. File systems take names of 255, and names of files are an id and up to 40 bytes around it.
LONGEST_ID = 200
# Longer ids are cut to this length, which leaves room for a hash and for the number of a namesake.
_CUT = 180


@dataclass(frozen=True)
class VideoInput:
    """A video file given to a command, or found in a folder."""

    path: Path
    relative: Path
    """Path below the given folder; the name if the file itself was given."""

    @property
    def id(self) -> str:
        """Safe as a file name: `Lunges__v_1` for `Lunges/v 1.avi`; a long one is cut, and ends in a hash."""
        parts = self.relative.with_suffix("").parts
        name = "__".join(re.sub(r"[^\w.-]", "_", part) for part in parts).encode()
        if len(name) <= _CUT:
            return name.decode()
        return f"{name[:_CUT].decode(errors='ignore')}-{hashlib.sha256(name).hexdigest()[:8]}"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names that a captions file may use, most specific first: ends of its path, with and without suffix."""
        paths = dict.fromkeys(plain_name(path.as_posix()) for path in (self.path.absolute(), self.path.resolve()))
        ends = [end for path in paths for end in _ends(path)]
        ends.sort(key=lambda end: -end.count("/"))
        return tuple(dict.fromkeys(name for end in ends for name in (end, _without_suffix(end))))

    @property
    def label(self) -> str:
        """The action named by the file or a folder; empty if neither names one.

        It comes from a UCF101 name (`v_Lunges_g01_c01`), or is the name of the nearest folder without a generic name
        (`videos`, `DCIM`). If that is no known action, a known action in the file's name takes precedence.
        """
        named = _UCF101_NAME.fullmatch(self.path.stem)
        if named:
            return named["label"]
        folders = map(one_line, reversed(self.relative.parent.parts))
        folder = next(filter(names_something, folders), "")
        return folder if known_label(folder) else known_action(self.path.stem) or folder

    @property
    def is_alone(self) -> bool:
        """True if given as a single file, so that the label can only come from its file name."""
        return self.relative.parent == Path() and _UCF101_NAME.fullmatch(self.path.stem) is None

    @property
    def group(self) -> str:
        """UCF101's number of the person and place, `01` of `v_Lunges_g01_c02`; empty for any other video."""
        named = _UCF101_NAME.fullmatch(self.path.stem)
        return named["group"] if named else ""

    @property
    def folders(self) -> list[Path]:
        """The video's folder and those above it, up to the given one."""
        return list(self.path.parents)[: len(self.relative.parts)]


def _ends(path: str) -> Iterator[str]:
    """A path, then without its first folder, and so on to its name."""
    while path:
        yield path
        path = path.lstrip("/").partition("/")[2]


def _without_suffix(path: str) -> str:
    return os.path.splitext(path)[0]  # noqa: PTH122 - of a string
