"""All clips of a split in two memory-mapped files, of which windows are slices."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray
from numpy.lib.format import open_memmap

from crossdiff.errors import InputError
from crossdiff.files import load_npy, write_atomically
from crossdiff.progress import track

log = logging.getLogger(__name__)

KINDS = ("new_joint_vecs", "new_joints")
# Opening a file takes a third of a millisecond; with two files a clip, that took most of the time of a batch.
FOLDER = "packed"


class PackedClips:
    """Features (T, D) and joints (T + 1, J, 3) of clips, packed in the dataset's folder on first use.

    Names of the packs contain a hash of the clips' names, lengths, sizes and times, so that a changed dataset is packed
    again. If the folder is not writable, the clips are kept in memory.
    """

    def __init__(self, folder: Path, split: str, ids: Sequence[str], lengths: Sequence[int]) -> None:
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
        self.key = _key(folder, ids, lengths)
        self._features = _pack(folder, split, KINDS[0], self.key, ids, lengths)
        self._joints = _pack(folder, split, KINDS[1], self.key, ids, [n + 1 for n in lengths])

    def features(self, index: int, start: int, stop: int) -> ndarray:
        """Copy of rows start..stop of a clip's features."""
        first = self._starts[index]
        return np.array(self._features[first + start : first + stop])

    def joints(self, index: int, start: int, stop: int) -> ndarray:
        """Copy of frames start..stop of a clip's joints, which has one frame more than its features."""
        first = self._starts[index] + index
        return np.array(self._joints[first + start : first + stop])


def _key(folder: Path, ids: Sequence[str], lengths: Sequence[int]) -> str:
    digest = hashlib.sha256()
    for clip_id, length in zip(ids, lengths, strict=True):
        stats = [(folder / kind / f"{clip_id}.npy").stat() for kind in KINDS]
        digest.update(f"{clip_id} {length} {[(s.st_size, s.st_mtime_ns) for s in stats]}\n".encode())
    return digest.hexdigest()[:12]


def _pack(folder: Path, split: str, kind: str, key: str, ids: Sequence[str], lengths: Sequence[int]) -> ndarray:
    path = folder / FOLDER / f"{split}.{kind}.{key}.npy"
    if not path.is_file():
        try:
            write_atomically(path, lambda tmp: _write(tmp, folder / kind, ids, lengths))
        except OSError as error:
            log.warning("%s: cannot be written (%s); the clips are kept in memory", path, error)
            return np.concatenate([load_npy(folder / kind / f"{i}.npy")[:n] for i, n in zip(ids, lengths, strict=True)])
        for old in path.parent.glob(f"{split}.{kind}.*.npy"):
            if old != path:
                old.unlink(missing_ok=True)
    packed = load_npy(path, mapped=True)
    if len(packed) != sum(lengths):
        raise InputError(f"{path}: expected {sum(lengths)} frames, got {len(packed)}; delete {path.parent}")
    return packed


def _write(path: Path, folder: Path, ids: Sequence[str], lengths: Sequence[int]) -> None:
    shape = load_npy(folder / f"{ids[0]}.npy", mapped=True).shape[1:]
    packed = open_memmap(path, mode="w+", dtype=np.float32, shape=(sum(lengths), *shape))
    start = 0
    for clip_id, length in track(list(zip(ids, lengths, strict=True)), "pack"):
        packed[start : start + length] = load_npy(folder / f"{clip_id}.npy")[:length]
        start += length
    packed.flush()
