"""The videos given to a command: found in files, folders and lists, with an id for each."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from crossdiff.annotations.captions import CAPTIONS_FILE
from crossdiff.errors import InputError
from crossdiff.pipeline.search import files_below, is_video
from crossdiff.pipeline.video_input import LONGEST_ID, VideoInput

log = logging.getLogger(__name__)

# A line of UCF101's lists: a path and, in those for training, the number of its label.
_LIST_LINE = re.compile(r"(?P<path>\S.*?)(\s+\d+)?\s*")


@dataclass(frozen=True)
class Selection:
    """The videos given to a command, and the arguments that chose them; made by `of`."""

    videos: tuple[VideoInput, ...]
    paths: tuple[Path, ...]
    lists: tuple[Path, ...] = ()
    per_label: int | None = None

    @classmethod
    def of(cls, paths: Sequence[Path], lists: Sequence[Path] = (), per_label: int | None = None) -> Selection:
        """The given files, and all videos in the given folders (see `search.is_video`); each file once.

        lists: files in the format of UCF101's trainlist01.txt and testlist01.txt; only the videos in them are taken.
        per_label: largest number of videos of each label, evenly over UCF101's groups (the clips of a group show one
        person and place), the same ones every time; all videos without a label are taken.
        """
        by_file: dict[Hashable, VideoInput] = {}
        for given in paths:
            for video in _videos_at(given):
                by_file.setdefault(_identity(video.path), video)
        if not by_file:
            raise InputError("no videos given; name video files or folders of videos")
        videos = list(by_file.values())
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
    """A key that is equal for all links to a file."""
    try:
        status = path.stat()
    except OSError:
        return path
    return status.st_dev, status.st_ino


def read_list(path: Path) -> list[str]:
    """The videos in a list of UCF101, such as `Label/v_Label_g01_c01.avi`, without their suffix."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as a list of videos ({error}); give a text file") from None
    matches = (_LIST_LINE.fullmatch(line.strip()) for line in lines)
    return [PurePosixPath(match["path"]).with_suffix("").as_posix() for match in matches if match]


def _listed(videos: Sequence[VideoInput], lists: Sequence[Path]) -> list[VideoInput]:
    names = {name.lower(): name for file in lists for name in read_list(file)}
    matched: set[str] = set()
    kept = []
    for video in videos:
        parts = video.path.absolute().with_suffix("").parts[1:]
        ends = {"/".join(parts[n:]).lower() for n in range(len(parts))} & names.keys()
        matched |= ends
        if ends:
            kept.append(video)
    files = ", ".join(str(file) for file in lists)
    if not kept:
        raise InputError(f"{files}: names none of the videos given ({len(videos)}), such as {videos[0].relative}")
    if missing := sorted(names.keys() - matched):
        log.warning("%s: %d of %d videos are not there, such as %s", files, len(missing), len(names), names[missing[0]])
    return kept


def _spread(videos: Sequence[VideoInput], per_label: int) -> list[VideoInput]:
    """The first video of every group, then the second of every group, and so on, up to `per_label`."""
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
    """Videos by id; an id that another video has gets the suffix `-2`, `-3` ...

    known: files by id, of an earlier run. A file keeps its id; the id of a file that is gone or was moved is free.
    """
    owner = {name.lower(): path.resolve() for name, path in known.items() if path.exists()}
    # In reverse, so that a file with two ids gets the first; without ids that are too long for file names.
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
