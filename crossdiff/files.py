"""Reading and writing files atomically and without pickle."""

from __future__ import annotations

import codecs
import errno
import hashlib
import io
import json
import logging
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.lib.npyio import NpzFile
from pydantic_core import from_json

from crossdiff.errors import CrossDiffError, InputError
from crossdiff.wording import one_line
from crossdiff.yaml_text import parse_yaml

log = logging.getLogger(__name__)

# The process's umask can only be read by setting it.
_UMASK = os.umask(0)
os.umask(_UMASK)

# numpy parses headers as literals of Python, and CPython before 3.11.9 and 3.12.3 sometimes raises a SystemError
# where two threads do so at once (python/cpython#106905): one thread at a time reads.
_READING = threading.RLock()

# Errors of a disk that has no space left, for all or for the user, or that fails.
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL = {*_NO_SPACE, errno.EIO}

# Real arrays do not shrink this much: an npz member beyond both bounds is a few kilobytes that fill the memory.
_BOMB_SIZE, _BOMB_RATIO = 2**28, 100


@contextmanager
def decoding(source: object, what: str, error: type[CrossDiffError] = InputError) -> Iterator[None]:
    """Turn whatever the content of `source` causes in the block into one `error` that names it.

    This is the boundary where a file becomes data: parsers raise dozens of kinds for damaged and hostile files. The
    block only reads and computes. Errors that have a message for the user already pass, and those of a full disk.

    source: the file, or what else the data is from.
    what: what the source should be, such as `a BVH file`.
    """
    try:
        with np.errstate(all="ignore"):  # values that are not finite are refused by name
            yield
    except CrossDiffError:
        raise
    except FileNotFoundError:
        raise error(f"{source}: no such file") from None
    except Exception as wrong:
        if isinstance(wrong, OSError) and wrong.errno in _NO_SPACE:
            raise
        log.info("%s", source, exc_info=True)
        raise error(f"{source}: not {what} ({reason_of(wrong)})") from None


def reason_of(error: Exception) -> str:
    """An error in one line of at most 300 characters, with its type where the message alone says little."""
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    text = one_line(" ".join(str(error).split()))[:300]
    return text if text and isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {text}".rstrip(": ")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write(temporary)`, sync the file and rename it to `path`; on error the temporary file is removed.

    OSError names `path`, also where the writer raises another kind because the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_UMASK)  # some writers create files that only their owner can read
        with temporary.open("r+b") as handle:
            os.fsync(handle.fileno())  # Windows needs a file opened for writing
        temporary.replace(path)
    except Exception as error:
        if (number := _disk_error(error, temporary)) is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _disk_error(error: Exception, temporary: Path) -> int | None:
    """The number of the disk's error behind a failed write; None if there is none.

    torch, numpy and safetensors hide it: what they left is written on, until the disk says it again.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if number := re.search(r"\(os error (\d+)\)", str(error)):
        return int(number[1])
    try:
        with temporary.open("ab") as handle:
            handle.write(bytes(2**16))
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as same:
        return same.errno
    return None


def disk_message(error: OSError) -> str:
    """The message for a failed access to a file: the file, the reason, and for a full disk its place and free space."""
    path = error.filename2 or error.filename
    reason = error.strerror or str(error)
    if path is None or error.errno not in _FULL:
        return f"{path or 'the file system'}: {reason}; check the path, its permissions and the free space"
    disk = next(p for p in Path(os.fsdecode(path)).absolute().parents if p.exists() and (p.parent == p or p.is_mount()))
    free = shutil.disk_usage(disk).free / 2**20
    return (
        f"{os.fsdecode(path)}: not written: {reason} ({free:.1f} MB free on the disk at {disk}); make space, "
        "then run the same command again"
    )


def temporary_beside(path: Path) -> Path:
    """A unique temporary name, even across machines that share the disk."""
    # The suffix is kept: some writers (numpy, ffmpeg) choose the format by it.
    return path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that killed processes left in a folder."""
    for temporary in folder.glob(".*.tmp.*"):
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8. A byte of a name that is not UTF-8, a surrogate in Python, becomes `\\udcXX`, as in JSON."""
    write_atomically(path, lambda tmp: tmp.write_text(text, encoding="utf-8", errors="backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; NaN and Infinity are numbers, as Python writes them.

    Raises InputError if it is no valid JSON, including text that is not UTF-8, lone surrogates, numbers of thousands of
    digits, and values nested hundreds deep.
    """
    try:
        return from_json(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); restore or remake it") from None


def read_record(path: Path) -> dict[str, Any]:
    """Read a YAML record; empty if the file is missing or damaged."""
    try:
        record = parse_yaml(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def save_npy(path: Path, array: np.ndarray) -> None:
    write_atomically(path, lambda tmp: np.save(tmp, array, allow_pickle=False))


def save_npz(path: Path, **arrays: np.ndarray | np.generic) -> None:
    # The archive is made in memory, because zipfile prints a traceback if a full disk cuts it off.
    write_bytes(path, npz_bytes(**arrays))


def npz_bytes(**arrays: np.ndarray | np.generic) -> bytes:
    """What `save_npz` writes."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def write_bytes(path: Path, content: bytes) -> None:
    write_atomically(path, lambda tmp: tmp.write_bytes(content))


def load_npy(path: Path, mapped: bool = False) -> np.ndarray:
    """Read one array, or map it into memory; errors name the file."""
    # Opened here, because numpy does not close files that merely look like archives.
    with decoding(path, "a plain numpy array"), path.open("rb") as handle, _READING:
        array = np.load(handle, allow_pickle=False) if not mapped else open_memmap(path, mode="r")
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: not a plain numpy array (an npz archive); name it .npz, or save its array alone")
    return array


def load_npz(path: Path, names: Iterable[str] | None = None, optional: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """Read the named arrays of an npz (all without `names`), and the `optional` ones if it has them.

    Errors name the file and the array.
    """
    with _open_npz(path) as z:
        wanted = list(names) if names is not None else list(z.files)
        missing = [name for name in wanted if name not in z.files]
        if missing:
            raise InputError(f"{path}: lacks {', '.join(missing)}; it holds {', '.join(z.files) or 'nothing'}")
        arrays = {name: z[name] for name in [*wanted, *(name for name in optional if name in z.files)]}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):  # numpy returns the bytes of members that are no arrays
                raise InputError(f"{path}: not a readable npz file ({name} is no array)")
        return arrays


def npz_names(path: Path) -> list[str]:
    """Names of the arrays in an npz, without reading them."""
    with _open_npz(path) as z:
        return list(z.files)


@contextmanager
def _open_npz(path: Path) -> Iterator[NpzFile]:
    with decoding(path, "a readable npz file"), path.open("rb") as handle, _READING:
        opened = np.load(handle, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            raise ValueError("a single array")
        with opened:
            for member in opened.zip.infolist() if opened.zip is not None else ():
                if member.file_size > max(_BOMB_SIZE, _BOMB_RATIO * member.compress_size):
                    raise ValueError(f"{member.filename} would expand to {member.file_size / 1e9:.1f} GB")
            yield opened


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/crossdiff`, or `~/.cache/crossdiff`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "crossdiff"
