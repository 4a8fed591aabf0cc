"""Names of clips in a dataset: one word each, unique, and usable as file names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

# What names of files and words of lists cannot hold.
_NOT_IN_NAMES = re.compile(r"[\s/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]+|^\.+")
_LONGEST_NAME = 180  # bytes; temporary files have longer names


def dataset_names(ids: Sequence[str]) -> list[str]:
    """Unique names for files and lists: the ids themselves, except those that repeat or are more than a word.

    None is that of the mirrored copy, `M`NAME, of another clip whose id was changed.
    """
    plain = [_plain_name(clip_id) for clip_id in ids]
    taken = {name for name, clip_id in zip(plain, ids, strict=True) if name == clip_id}
    names, met = [], set[str]()
    for name, clip_id in zip(plain, ids, strict=True):
        candidate, count = name, 1
        while candidate in met or (
            (count > 1 or name != clip_id) and taken & {candidate, f"M{candidate}", candidate.removeprefix("M")}
        ):
            count += 1
            candidate = f"{name}-{count}"
        met.add(candidate)
        taken.add(candidate)
        names.append(candidate)
    return names


def _plain_name(clip_id: str) -> str:
    name = _NOT_IN_NAMES.sub("_", clip_id) or "_"
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(clip_id.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{name.encode()[:_LONGEST_NAME].decode('utf-8', 'ignore')}-{digest}"
