"""Raw motion that `crossdiff prepare` reads: packed or plain npz files, and folders of npy files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossdiff.data.captions import Caption, parse_caption
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npy, load_npz

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

    def clips(self) -> Iterator[tuple[str, np.ndarray]]:
        """(id, joints of shape (frames, joints, 3) in metres, Y up) of every clip."""
        for path in self.motions:
            if path.suffix == ".npz":
                yield from _npz_clips(path)
            else:
                yield path.stem, load_npy(path)

    def count(self) -> int:
        first = self.motions[0]
        if first.suffix != ".npz":
            return len(self.motions)
        with np.load(first, allow_pickle=False) as z:
            return len(z["ids"]) if set(z.files) >= _PACKED else len(z.files)

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
    splits = {i: s for s, path in lists.items() if path.is_file() for i in path.read_text("utf-8").split()}
    return RawSource(motions, _read_texts(folder), splits)


def _find_motions(folder: Path) -> list[Path]:
    packed = folder / "motions.npz"
    if packed.is_file():
        return [packed]
    for place in (folder / "new_joints", folder / "joints", folder):
        if found := sorted(place.glob("*.npy")):
            return found
    if found := sorted(folder.glob("*.npz")):
        return found[:1]
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
        except (zipfile.BadZipFile, UnicodeDecodeError) as error:
            raise InputError(f"{archive}: not a readable zip of caption files ({error})") from None
    return {p.stem: p.read_text("utf-8").splitlines() for p in sorted((folder / "texts").glob("*.txt"))}
