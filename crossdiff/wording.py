"""Counts, lists and failures in messages, text that is safe to print, and prompts in file names."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import islice

from crossdiff.errors import InputError, PartialFailure

MOST_LISTED = 20
# Control characters but tab and line feed, marks that change the direction of text, other ends of lines, and the
# surrogates by which Python keeps bytes of names that are not UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def counted(count: int, noun: str) -> str:
    """`1 video`, `2 videos`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(reasons: Mapping[str, str]) -> str:
    """A line `name: reason` for each of the first `MOST_LISTED`, to follow a colon, and how many more there are."""
    lines = [f"{one_line(name)}: {reason}" for name, reason in islice(reasons.items(), MOST_LISTED)]
    if len(reasons) > MOST_LISTED:
        lines.append(f"... and {len(reasons) - MOST_LISTED} more")
    return "".join(f"\n  {line}" for line in lines)


def printable(text: str) -> str:
    """Text that is safe on a terminal, in a log or a table: control characters are escaped, such as `\\x1b`."""
    return _UNPRINTABLE.sub(_escaped, text)


def one_line(text: str) -> str:
    """Printable text without ends of lines."""
    return printable(text).replace("\n", "\\n")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    byte = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
    return f"\\x{byte:02x}" if byte < 0x100 else f"\\u{byte:04x}"


class Failures(ABC):
    """Base of the summary of a batch: inputs that fail are listed in `failed`, and the others are processed."""

    failed: Mapping[str, str]
    """Reasons by the failed input's name."""

    @abstractmethod
    def what_failed(self) -> str:
        """The message's first line, such as `2 of 5 clips failed`."""

    def has_results(self) -> bool:
        """Whether any input succeeded; without one, the failure is not partial."""
        return True

    def reasons(self) -> Mapping[str, str]:
        """The inputs to report, with their reasons."""
        return self.failed

    def raise_failures(self) -> None:
        """Raise PartialFailure, or InputError where nothing succeeded, that lists the failed inputs."""
        if reasons := self.reasons():
            kind = PartialFailure if self.has_results() else InputError
            raise kind(f"{self.what_failed()}:{listed(reasons)}")


def slug(prompt: str) -> str:
    """A prompt as part of a file name: `a-person-walks`."""
    return "-".join(re.findall(r"[a-z0-9]+", prompt.lower()))[:48].rstrip("-") or "motion"
