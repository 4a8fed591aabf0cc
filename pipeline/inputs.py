"""The videos given to a command, with their ids, labels and captions."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from crossdiff.annotations.actions import captions_for, known_action, known_label, names_something
from crossdiff.annotations.captions import CAPTIONS_FILE, VideoCaption, plain_name, read_caption_csv, read_rates
from crossdiff.errors import InputError
from crossdiff.pipeline.search import files_below, is_video
from crossdiff.wording import counted, one_line

log = logging.getLogger(__name__)

T = TypeVar("T")

_UCF101_NAME = re.compile(r"v_(?P<label>[A-Za-z]+)_g(?P<group>\d+)_c\d+")
# In bytes: file systems take names of 255, and files are named after an id with up to 40 around it. Longer names are
# cut, which leaves room for a hash and for what tells namesakes apart.
LONGEST_ID = 200
_CUT = 180
# A line of UCF101's lists: a path and, in those for training, the number of its label.
_LIST_LINE = re.compile(r"(?P<path>\S.*?)(\s+\d+)?\s*")


@dataclass(frozen=True)
class VideoInput:
    """A video file. relative: its path below the given folder, or its name if the file was given."""

    path: Path
    relative: Path

    @property
    def id(self) -> str:
        """Safe as a file name: `Lunges/v 1.avi` is `Lunges__v_1`; a long one is cut, and ends in a hash."""
        parts = self.relative.with_suffix("").parts
        name = "__".join(re.sub(r"[^\w.-]", "_", part) for part in parts).encode()
        if len(name) <= _CUT:
            return name.decode()
        return f"{name[:_CUT].decode(errors='ignore')}-{hashlib.sha256(name).hexdigest()[:8]}"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names that a captions file may use, most specific first: ends of its path, with and without suffix."""
        paths = dict.fromkeys(plain_name(path.as_posix()) for path in (self.path.absolute(), self.path.resolve()))
        ends = [end for path in paths for end in _ends(path)]
        ends.sort(key=lambda end: -end.count("/"))
        return tuple(dict.fromkeys(name for end in ends for name in (end, _without_suffix(end))))

    @property
    def label(self) -> str:
        """The action named by the file or a folder; empty if neither names one.

        That of a UCF101 name (`v_Lunges_g01_c01`), or the name of the nearest folder that is not a generic one
        (`videos`, `DCIM`). Where that folder's is not a known action, a known one in the file's name comes first.
        """
        named = _UCF101_NAME.fullmatch(self.path.stem)
        if named:
            return named["label"]
        folders = map(one_line, reversed(self.relative.parent.parts))
        folder = next(filter(names_something, folders), "")
        return folder if known_label(folder) else known_action(self.path.stem) or folder

    @property
    def is_alone(self) -> bool:
        """True if given as a single file, so that the label can only come from its file name."""
        return self.relative.parent == Path() and _UCF101_NAME.fullmatch(self.path.stem) is None

    @property
    def group(self) -> str:
        """UCF101's number of the person and place, `01` of `v_Lunges_g01_c02`; empty for any other video."""
        named = _UCF101_NAME.fullmatch(self.path.stem)
        return named["group"] if named else ""


@dataclass(frozen=True)
class Selection:
    """The videos given to a command, and the arguments that chose them; made by `of`."""

    videos: tuple[VideoInput, ...]
    paths: tuple[Path, ...]
    lists: tuple[Path, ...] = ()
    per_label: int | None = None

    @classmethod
    def of(cls, paths: Sequence[Path], lists: Sequence[Path] = (), per_label: int | None = None) -> Selection:
        """Files as given, and those of folders that are videos (see `search.is_video`), at any depth; each file once.

        lists: files in the form of UCF101's trainlist01.txt and testlist01.txt; only what they name is taken.
        per_label: at most this many of each label, evenly over UCF101's groups (clips of a group are of one person and
        place), the same ones every time; videos without a label are all taken.
        """
        found: dict[Hashable, VideoInput] = {}
        for given in paths:
            for video in _videos_at(given):
                found.setdefault(_identity(video.path), video)
        if not found:
            raise InputError("no videos given; name video files or folders of videos")
        videos = list(found.values())
        if lists:
            videos = _listed(videos, lists)
        if per_label is not None:
            videos = _spread(videos, per_label)
        return cls(tuple(videos), tuple(paths), tuple(lists), per_label)

    def record(self) -> dict[str, Any]:
        """The arguments as JSON, independent of the current folder."""
        return {
            "paths": sorted({_as_text(path.resolve()) for path in self.paths}),
            "lists": sorted({_as_text(path.resolve()) for path in self.lists}),
            "per_label": self.per_label,
        }


def _as_text(path: Path) -> str:
    """A path as JSON can hold it: a byte that is not UTF-8 is written as `\\xe9`."""
    return os.fsencode(path).decode(errors="backslashreplace")


def find_videos(inputs: Sequence[Path], lists: Sequence[Path] = (), per_label: int | None = None) -> list[VideoInput]:
    """The videos of a `Selection`."""
    return list(Selection.of(inputs, lists, per_label).videos)


def _identity(path: Path) -> Hashable:
    """The same for all links to a file."""
    try:
        status = path.stat()
    except OSError:
        return path
    return status.st_dev, status.st_ino


def read_list(path: Path) -> list[str]:
    """The videos that a list of UCF101 names, `Label/v_Label_g01_c01.avi`, without their suffix."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as a list of videos ({error}); give a text file") from None
    matches = (_LIST_LINE.fullmatch(line.strip()) for line in lines)
    return [PurePosixPath(match["path"]).with_suffix("").as_posix() for match in matches if match]


def _listed(videos: Sequence[VideoInput], lists: Sequence[Path]) -> list[VideoInput]:
    names = {name.lower(): name for file in lists for name in read_list(file)}
    met: set[str] = set()
    kept = []
    for video in videos:
        parts = video.path.absolute().with_suffix("").parts[1:]
        ends = {"/".join(parts[n:]).lower() for n in range(len(parts))} & names.keys()
        met |= ends
        if ends:
            kept.append(video)
    files = ", ".join(str(file) for file in lists)
    if not kept:
        raise InputError(f"{files}: names none of the videos given ({len(videos)}), such as {videos[0].relative}")
    if unmet := sorted(names.keys() - met):
        log.warning("%s: %d of %d videos are not there, such as %s", files, len(unmet), len(names), names[unmet[0]])
    return kept


def _spread(videos: Sequence[VideoInput], per_label: int) -> list[VideoInput]:
    """The first of every group, then the second of every group, and so on, until there are enough of the label."""
    turns: Counter[tuple[str, str]] = Counter()
    ranked: dict[str, list[tuple[int, str, VideoInput]]] = {}
    for video in sorted(videos, key=lambda video: video.relative.as_posix()):
        group = video.label, video.group
        ranked.setdefault(video.label, []).append((turns[group], video.relative.as_posix(), video))
        turns[group] += 1
    taken = {video for of_label in ranked.values() for *_, video in sorted(of_label, key=_turn)[:per_label]}
    return [video for video in videos if video in taken or not video.label]


def _turn(entry: tuple[int, str, VideoInput]) -> tuple[int, str]:
    return entry[:2]


def _videos_at(given: Path) -> list[VideoInput]:
    if given.is_file():
        return [VideoInput(given, Path(given.name))]
    if not given.is_dir():
        raise InputError(f"{given}: no such file or folder; name video files or folders of videos")
    files = files_below(given)
    videos = [VideoInput(given / path, path) for path in files if is_video(given / path)]
    if not files:
        raise InputError(f"{given}: holds no videos, as it is empty (hidden files aside); give another folder")
    others = sorted({path for path in files if path.name != CAPTIONS_FILE} - {video.relative for video in videos})
    if not videos:
        raise InputError(
            f"{given}: holds no videos: {_not_videos(others or files)}; give another folder, or name a file itself to "
            "see why it cannot be read"
        )
    if others:
        log.warning("%s: %s", given, _not_videos(others))
    return videos


def _not_videos(files: Sequence[Path]) -> str:
    if len(files) == 1:
        return f"1 file is not a video: {files[0]}"
    return f"{len(files)} files are not videos, such as {files[0]}"


def name_apart(videos: Sequence[VideoInput], known: Mapping[str, Path]) -> dict[str, VideoInput]:
    """Videos by id; where another video has the id already, `-2`, `-3` ... is put behind it.

    known: the files behind the ids of an earlier run. A file keeps its id; one whose file is gone (or was moved) is
    free again.
    """
    owner = {name.lower(): path.resolve() for name, path in known.items() if path.exists()}
    # From the last, so that a file with two ids has the first; without ids that are too long for its files.
    before = sorted(known.items(), reverse=True)
    kept = {path.resolve(): name for name, path in before if len(name.encode()) <= LONGEST_ID}
    named: dict[str, VideoInput] = {}
    for video in videos:
        path, count = video.path.resolve(), 1
        name = kept.get(path, video.id)
        while owner.setdefault(name.lower(), path) != path:
            count += 1
            name = f"{video.id}-{count}"
        named[name] = video
    return named


def captions_of(videos: Sequence[VideoInput], file: Path | None = None) -> dict[VideoInput, tuple[VideoCaption, ...]]:
    """Captions of each video: from the file given, else from captions.csv beside it or above, else of its label."""
    folders = {folder for video in videos for folder in _folders(video)}
    beside = {f: read_caption_csv(f / CAPTIONS_FILE) for f in folders if (f / CAPTIONS_FILE).is_file()}
    given = read_caption_csv(file) if file is not None else {}
    tables = [*([(file, given)] if file else []), *((f / CAPTIONS_FILE, beside[f]) for f in sorted(beside))]
    names = {name for video in videos for name in video.names} if tables else set()
    for table, captions in tables:
        if unknown := sorted(set(captions) - names):
            count = counted(len(unknown), "video")
            log.warning("%s: %s not among the inputs, such as %s", table, count, unknown[0])
    matches = {video: _match(video, given, beside) for video in videos}
    return {v: tuple(match) if match is not None else default_captions(v.label) for v, match in matches.items()}


def rates_of(videos: Sequence[VideoInput], file: Path | None = None) -> dict[VideoInput, float]:
    """True frame rates of the videos that have one, from the files that `captions_of` reads."""
    folders = {folder for video in videos for folder in _folders(video)}
    beside = {f: read_rates(f / CAPTIONS_FILE) for f in folders if (f / CAPTIONS_FILE).is_file()}
    given = read_rates(file) if file is not None else {}
    matches = {video: _match(video, given, beside) for video in videos}
    return {video: rate for video, rate in matches.items() if rate is not None}


def _match(video: VideoInput, given: Mapping[str, T], beside: Mapping[Path, Mapping[str, T]]) -> T | None:
    """The entry of a video in the given file, else in the nearest file of its folders."""
    sources = [source for source in (given, *(beside.get(folder, {}) for folder in _folders(video))) if source]
    return next((source[name] for source in sources for name in video.names if name in source), None)


def default_captions(label: str) -> tuple[VideoCaption, ...]:
    """Captions of a video that is in no captions file; none if its label is empty."""
    return tuple(map(VideoCaption, captions_for(label)))


def warn_uncaptioned(names: Sequence[str], count: int) -> None:
    """One line where some of `count` videos or clips have no caption."""
    if names:
        log.warning(
            "no caption for %d of %s, such as %s: no name says what they show. They are lifted, and trained on "
            "without text; give captions with --captions FILE.csv",
            len(names), counted(count, "input"), names[0],
        )  # fmt: skip


def _ends(path: str) -> Iterator[str]:
    """A path, then without its first folder, and so on to its name."""
    while path:
        yield path
        path = path.lstrip("/").partition("/")[2]


def _without_suffix(path: str) -> str:
    return os.path.splitext(path)[0]  # noqa: PTH122 - of a string


def _folders(video: VideoInput) -> list[Path]:
    """From the video's own folder up to the one that was given."""
    return list(video.path.parents)[: len(video.relative.parts)]
