"""Counts, lists and failures in messages, and prompts in file names."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping

from crossdiff.errors import InputError, PartialFailure


def counted(count: int, noun: str) -> str:
    """`1 video`, `2 videos`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(reasons: Mapping[str, str]) -> str:
    """A line `name: reason` for each, to go after a colon."""
    return "".join(f"\n  {name}: {reason}" for name, reason in reasons.items())


class Failures(ABC):
    """Base of the summary of a batch: inputs that fail are listed in `failed`, and the others are worked through."""

    failed: Mapping[str, str]
    """Reasons by the failed input's name."""

    @abstractmethod
    def what_failed(self) -> str:
        """The message's first line, such as `2 of 5 clips failed`."""

    def has_results(self) -> bool:
        """Whether any input succeeded; without one, the failure is not partial."""
        return True

    def raise_failures(self) -> None:
        """Raise PartialFailure, or InputError where nothing succeeded, that lists every failed input."""
        if self.failed:
            kind = PartialFailure if self.has_results() else InputError
            raise kind(f"{self.what_failed()}:{listed(self.failed)}")


def slug(prompt: str) -> str:
    """A prompt as part of a file name: `a-person-walks`."""
    return "-".join(re.findall(r"[a-z0-9]+", prompt.lower()))[:48] or "motion"
