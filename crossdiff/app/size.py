"""File sizes as text."""

from __future__ import annotations

import re

from crossdiff.errors import InputError

_UNITS = {"": 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}


def read_size(text: str) -> int:
    """Bytes of `100mb`, `500 kB` or `2gb`; a bare number is bytes."""
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _UNITS or int(match[1]) == 0:
        raise InputError(f"size: expected a number with b, kb, mb or gb, such as 100mb, got {text!r}")
    return int(match[1]) * _UNITS[match[2]]


def size_text(size: int) -> str:
    """`100 MB`, in the largest unit that gives an integer."""
    unit = next(name for name in ("gb", "mb", "kb", "b") if size % _UNITS[name] == 0)
    return f"{size // _UNITS[unit]} {unit.upper()}"
