"""What lies beside raw motion: caption files, split lists, and captions in a JSON file."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path, PurePath, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from crossdiff.annotations.captions import caption_line
from crossdiff.errors import InputError
from crossdiff.files import decoding, read_json

SPLITS = ("train", "val", "test")
_MOST_TEXT = 2**30  # bytes of a zip of captions
_MOTIONS = "motions"
_CAPTIONS = TypeAdapter(dict[str, list[str]])


def companion_suffix(source: Path) -> str:
    """What a packed file adds to the names of its companions: `_more` for motions_more.npz; empty for a folder."""
    return source.stem.removeprefix(_MOTIONS) if source.is_file() and source.stem.startswith(_MOTIONS) else ""


def read_splits(folder: Path, suffix: str = "") -> dict[str, str]:
    """Clip id -> split, from `train.txt`, `val.txt` and `test.txt`, one id per line; other lists are ignored.

    suffix: as in `train_more.txt`; where no list has it, the lists without it are read.
    """
    lists = {s: folder / f"{s}{suffix}.txt" for s in SPLITS}
    if suffix and not any(path.is_file() for path in lists.values()):
        return read_splits(folder)
    return {clip_id: split for split, path in lists.items() if path.is_file() for clip_id in read_ids(path)}


def read_ids(path: Path) -> list[str]:
    """The ids of a split list, one per line, which may hold spaces; InputError if it is not UTF-8."""
    return [clip_id for line in read_text(path).split("\n") if (clip_id := line.strip())]


def read_texts(folder: Path, suffix: str = "") -> dict[str, list[str]]:
    """Clip id -> lines of its caption file, from `texts.zip` or `texts/`; lines that are not UTF-8 are marked.

    suffix: as in `texts_more.zip`; where neither has it, those without it are read.
    """
    plain, archive = folder / f"texts{suffix}", folder / f"texts{suffix}.zip"
    if suffix and not (archive.is_file() or plain.is_dir()):
        return read_texts(folder)
    if archive.is_file():
        with decoding(archive, "a readable zip of caption files"), zipfile.ZipFile(archive) as z:
            if (size := sum(member.file_size for member in z.infolist())) > _MOST_TEXT:
                raise ValueError(f"would expand to {size / 1e9:.1f} GB")
            names = [n for n in z.namelist() if n.endswith(".txt") and is_shown(PurePosixPath(n))]
            return {Path(n).stem: _lines(z.read(n).decode("utf-8", "replace")) for n in names}
    paths = sorted(p for p in plain.glob("*.txt") if is_shown(p.relative_to(folder)))
    return {p.stem: _lines(read_text(p, "replace")) for p in paths}


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").splitlines()


def is_shown(path: PurePath) -> bool:
    """False for hidden files, such as the `._NAME` that macOS puts beside NAME, and for what is in `__MACOSX`."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def read_text(path: Path, errors: str = "strict") -> str:
    """The text of a UTF-8 file, without its byte order mark; errors: as in `bytes.decode`."""
    try:
        return path.read_text("utf-8-sig", errors)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as text ({error}); save it as UTF-8") from None


def read_caption_json(path: Path) -> dict[str, list[str]]:
    """Clip id -> lines of a caption file, from JSON `{clip id: [sentences]}`; each describes the whole clip."""
    try:
        found = _CAPTIONS.validate_python(read_json(path))
    except ValidationError as error:
        raise InputError(
            f"{path}: expected {{clip id: [captions]}}, got another content ({error.errors()[0]['msg']}); correct it"
        ) from None
    for clip_id, sentences in found.items():
        if empty := [text for text in sentences if not re.search(r"\w", text)]:
            raise InputError(f"{path}: {clip_id} has the empty caption {empty[0]!r}; write a sentence or delete it")
    return {clip_id: [caption_line(text) for text in sentences] for clip_id, sentences in found.items()}
