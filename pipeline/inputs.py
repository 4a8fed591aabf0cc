"""Which videos a command was given, and each one's id, label and captions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossdiff.annotations.captions import CAPTIONS_FILE, captions_for, label_words, read_captions
from crossdiff.errors import InputError
from crossdiff.pipeline.video import SUFFIXES

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
        raise InputError(f"{given}: no such file or folder")
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


class CaptionSource:
    """Captions of videos: from the user's file, from captions.csv beside a video, or from the label."""

    def __init__(self, file: Path | None = None) -> None:
        self._given = read_captions(file) if file is not None else {}
        self._beside: dict[Path, dict[str, list[str]]] = {}

    def __call__(self, video: VideoInput) -> tuple[str, ...]:
        found = _look_up(self._given, video)
        for folder in _folders(video):
            found = found or _look_up(self._read_beside(folder), video)
        return tuple(found or captions_for(video.label))

    def _read_beside(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._beside:
            file = folder / CAPTIONS_FILE
            self._beside[folder] = read_captions(file) if file.is_file() else {}
        return self._beside[folder]


def _folders(video: VideoInput) -> list[Path]:
    """From the video's own folder up to the one that was given."""
    return list(video.path.parents)[: len(video.relative.parts)]


def _look_up(captions: dict[str, list[str]], video: VideoInput) -> list[str]:
    relative = video.relative
    for name in (relative.as_posix(), relative.with_suffix("").as_posix(), relative.name, relative.stem):
        if name in captions:
            return captions[name]
    return []
