"""The settings and inputs that work in a folder was started with; it resumes only with the same."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from crossdiff.errors import ConfigError
from crossdiff.files import read_record, write_text

log = logging.getLogger(__name__)

Record = Mapping[str, Any]
# Parts of a record that are omitted from the names of its values.
_PARTS = ("config.", "inputs.")
_MOST_NAMES = 6


def pin(path: Path, record: Record, outputs: Collection[str], start_over: bool, free: Collection[str] = ()) -> None:
    """Write the record; refuse a folder that was started with another one, or start over in it.

    path: YAML file in the folder.
    record: settings and inputs, plain values, perhaps in the parts `config` and `inputs`.
    outputs: names of the files and folders that the work writes, which are deleted when it starts over.
    start_over: delete them where the record differs, instead of raising ConfigError.
    free: names of values that may differ.
    """
    changed = check_pin(path, record, outputs, start_over, free)
    if changed:
        log.warning("%s: starts over (%s)", path.parent, changed)
        clear(path.parent, outputs)
    write_text(path, yaml.safe_dump(dict(record), sort_keys=False))


def check_pin(
    path: Path, record: Record, outputs: Collection[str], start_over: bool, free: Collection[str] = ()
) -> str:
    """What `pin` would start over for, empty if nothing; raises as it does, and writes nothing."""
    folder, before = path.parent, read_record(path)
    is_new = not path.is_file() and not any((folder / name).exists() for name in outputs)
    changed = [] if is_new else [name for name in differences(before, record) if name not in free]
    if not changed:
        return ""
    names = ", ".join(changed[:_MOST_NAMES]) + (", ..." if len(changed) > _MOST_NAMES else "")
    names = names if before else f"{path.name} is missing or damaged"
    if not start_over:
        raise ConfigError(
            f"{folder}: was started with other settings or data ({names}); give another --out, "
            "or start over with --start-over"
        )
    return names


def clear(folder: Path, outputs: Collection[str]) -> None:
    """Delete the named files and folders."""
    for path in (folder / name for name in outputs):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # several processes may delete it at once
        else:
            path.unlink(missing_ok=True)


def differences(before: Record, now: Record) -> list[str]:
    """Dotted names of the values that differ between two records, such as `protocol.batch_size`."""
    old, new = dict(_flat(before)), dict(_flat(now))
    names = [name for name in dict.fromkeys([*new, *old]) if old.get(name, _MISSING) != new.get(name, _MISSING)]
    return [_without_part(name) for name in names]


_MISSING = object()


def _flat(record: Record, prefix: str = "") -> list[tuple[str, Any]]:
    values = []
    for key, value in record.items():
        values += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return values


def _without_part(name: str) -> str:
    return next((name.removeprefix(part) for part in _PARTS if name.startswith(part)), name)
