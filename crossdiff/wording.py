"""Counts and lists in messages."""

from __future__ import annotations

from collections.abc import Mapping


def counted(count: int, noun: str) -> str:
    """`1 video`, `2 videos`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(reasons: Mapping[str, str]) -> str:
    """A line `name: reason` for each, to go after a colon."""
    return "".join(f"\n  {name}: {reason}" for name, reason in reasons.items())
