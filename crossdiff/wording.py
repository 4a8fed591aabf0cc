"""Counts and lists in messages, and prompts in file names."""

from __future__ import annotations

import re
from collections.abc import Mapping


def counted(count: int, noun: str) -> str:
    """`1 video`, `2 videos`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(reasons: Mapping[str, str]) -> str:
    """A line `name: reason` for each, to go after a colon."""
    return "".join(f"\n  {name}: {reason}" for name, reason in reasons.items())


def slug(prompt: str) -> str:
    """A prompt as part of a file name: `a-person-walks`."""
    return "-".join(re.findall(r"[a-z0-9]+", prompt.lower()))[:48] or "motion"
