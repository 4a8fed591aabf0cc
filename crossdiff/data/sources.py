"""Raw motion that `crossdiff prepare` reads: packed or plain npz files, and folders of npy files."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossdiff.data.captions import Caption, parse_caption
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npy, load_npz, npz_names

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
_PACKED = {"joints_delta", "offsets", "ids", "unit_m"}


@dataclass(frozen=True)
class RawSource:
    """Where raw motion, captions and split lists come from.

    motions: one npz, or npy files; texts: clip id -> lines of a caption file; splits: clip id -> split (may be empty).
    """

    motions: list[Path]
    texts: dict[str, list[str]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)

    def clips(self) -> Iterator[tuple[str, np.ndarray | None]]:
        """(id, joints of shape (frames, joints, 3) in metres, Y up) of every clip; None for a damaged .npy file."""
        for path in self.motions:
            if path.suffix == ".npz":
                yield from _npz_clips(path)
                continue
            try:
                joints = load_npy(path)
            except InputError as error:
                log.warning("%s", error)
                yield path.stem, None
            else:
                yield path.stem, joints

    def count(self) -> int:
        first = self.motions[0]
        if first.suffix != ".npz":
            return len(self.motions)
        names = npz_names(first)
        return len(load_npz(first, ["ids"])["ids"]) if set(names) >= _PACKED else len(names)

    def captions(self, clip_id: str) -> tuple[list[Caption], list[str]]:
        """Captions of a clip, and what was wrong with the lines that are left out."""
        good, bad = [], []
        for line in self.texts.get(clip_id, []):
            try:
                good.append(parse_caption(line))
            except ClipError as error:
                bad.append(str(error))
        return good, bad


def open_source(source: Path) -> RawSource:
    """Find motions, `texts/` or `texts.zip`, and `train|val|test.txt` in a folder (or beside an npz file)."""
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; give a folder of .npy files, or an .npz of joints")
    folder = source if source.is_dir() else source.parent
    motions = [source] if source.is_file() else _find_motions(source)
    if source.is_file() and source.suffix != ".npz":
        raise InputError(f"{source}: expected an .npz of joints or a folder, got a {source.suffix or 'plain'} file")
    lists = {s: folder / f"{s}.txt" for s in SPLITS}
    splits = {i: s for s, path in lists.items() if path.is_file() for i in _text(path).split()}
    return RawSource(motions, _read_texts(folder), splits)


def _find_motions(folder: Path) -> list[Path]:
    packed = folder / "motions.npz"
    if packed.is_file():
        return [packed]
    for place in (folder / "new_joints", folder / "joints", folder):
        if found := sorted(place.glob("*.npy")):
            return found
    found = sorted(folder.glob("*.npz"))
    if len(found) > 1:
        raise InputError(f"{folder}: holds {len(found)} npz files; give one of them, such as {found[0]}")
    if found:
        return found
    raise InputError(f"{folder}: holds no motions; expected motions.npz, an .npz of joints, or .npy files")


def _npz_clips(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    z = load_npz(path)
    if not z.keys() >= _PACKED:
        yield from z.items()
        return
    starts, unit = z["offsets"], float(z["unit_m"])
    for clip_id, start, stop in zip(z["ids"], starts[:-1], starts[1:], strict=True):
        steps = z["joints_delta"][start:stop].astype(np.int64)
        yield str(clip_id), (np.cumsum(steps, axis=0) * unit).astype(np.float32)


def _read_texts(folder: Path) -> dict[str, list[str]]:
    archive = folder / "texts.zip"
    if archive.is_file():
        try:
            with zipfile.ZipFile(archive) as z:
                names = [n for n in z.namelist() if n.endswith(".txt")]
                return {Path(n).stem: z.read(n).decode("utf-8").splitlines() for n in names}
        except Exception as error:  # zipfile raises many kinds for damaged archives
            raise InputError(f"{archive}: not a readable zip of caption files ({error})") from None
    return {p.stem: _text(p).splitlines() for p in sorted((folder / "texts").glob("*.txt"))}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as text ({error}); save it as UTF-8") from None
