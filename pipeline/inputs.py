"""Which videos a command was given, and each one's id, label and captions."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossdiff.annotations.captions import CAPTIONS_FILE, captions_for, label_words, read_captions
from crossdiff.errors import InputError
from crossdiff.pipeline.video import SUFFIXES

log = logging.getLogger(__name__)

_UCF101_NAME = re.compile(r"v_(?P<label>[A-Za-z]+)_g\d+_c\d+")


@dataclass(frozen=True)
class VideoInput:
    """A video file that was asked for. relative: its path below the folder given, or its name alone."""

    path: Path
    relative: Path

    @property
    def id(self) -> str:
        """Safe as a file name: `Lunges/v 1.avi` is `Lunges__v_1`."""
        parts = self.relative.with_suffix("").parts
        return "__".join(re.sub(r"[^\w.-]", "_", part) for part in parts)

    @property
    def names(self) -> tuple[str, ...]:
        """What a captions file may call it, most exact first."""
        path = self.relative
        return (path.as_posix(), path.with_suffix("").as_posix(), path.name, path.stem)

    @property
    def label(self) -> str:
        """The action: of a UCF101 name (`v_Lunges_g01_c01`), else the folder's name, else the file name's words."""
        named = _UCF101_NAME.fullmatch(self.path.stem)
        if named:
            return named["label"]
        if self.relative.parent != Path():
            return self.relative.parent.name
        return "".join(word.capitalize() for word in label_words(self.path.stem)) or self.path.stem


def find_videos(inputs: Sequence[Path]) -> list[VideoInput]:
    """Files as given, folders searched for videos at any depth (hidden files left out); each file once."""
    found: dict[Path, VideoInput] = {}
    for given in inputs:
        for video in _videos_at(given):
            found.setdefault(video.path.resolve(), video)
    if not found:
        raise InputError("no videos given; name video files or folders that hold some")
    return list(found.values())


def _videos_at(given: Path) -> list[VideoInput]:
    if given.is_file():
        return [VideoInput(given, Path(given.name))]
    if not given.is_dir():
        raise InputError(f"{given}: no such file or folder; name video files, or folders that hold some")
    relative = (path.relative_to(given) for path in sorted(given.rglob("*")) if path.is_file())
    shown = (p for p in relative if not any(part.startswith(".") for part in p.parts))
    videos = [VideoInput(given / p, p) for p in shown if p.suffix.lower() in SUFFIXES]
    if not videos:
        suffixes = " ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise InputError(f"{given}: holds no videos ({suffixes}); give another folder")
    return videos


def name_apart(videos: Sequence[VideoInput], known: Mapping[str, Path]) -> dict[str, VideoInput]:
    """Videos by id; where another video has the id already, `-2`, `-3` ... is put behind it.

    known: the files behind the ids of an earlier run; an id is free again when its file is gone (or was moved).
    """
    owner = {name.lower(): path.resolve() for name, path in known.items() if path.exists()}
    named: dict[str, VideoInput] = {}
    for video in videos:
        path, name, count = video.path.resolve(), video.id, 1
        while owner.setdefault(name.lower(), path) != path:
            count += 1
            name = f"{video.id}-{count}"
        named[name] = video
    return named


def captions_of(videos: Sequence[VideoInput], file: Path | None = None) -> dict[VideoInput, tuple[str, ...]]:
    """Captions of each video: from the file given, else from captions.csv beside it or above, else of its label."""
    folders = {folder for video in videos for folder in _folders(video)}
    beside = {f: read_captions(f / CAPTIONS_FILE) for f in folders if (f / CAPTIONS_FILE).is_file()}
    given = read_captions(file) if file is not None else {}
    names = {name for video in videos for name in video.names}
    if unknown := sorted(set(given) - names):
        log.warning("%s: %d videos are not among the inputs, such as %s", file, len(unknown), unknown[0])
    found = {}
    for video in videos:
        sources = [given, *(beside.get(folder, {}) for folder in _folders(video))]
        matches = [source[name] for source in sources for name in video.names if name in source]
        found[video] = tuple(matches[0] if matches else captions_for(video.label))
    return found


def _folders(video: VideoInput) -> list[Path]:
    """From the video's own folder up to the one that was given."""
    return list(video.path.parents)[: len(video.relative.parts)]
