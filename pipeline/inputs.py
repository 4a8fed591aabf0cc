"""Which videos a command was given, and each one's id, label and captions."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crossdiff.annotations.captions import CAPTIONS_FILE, VideoCaption, captions_for, label_words, read_caption_csv
from crossdiff.errors import InputError
from crossdiff.pipeline.video import SUFFIXES
from crossdiff.wording import counted

log = logging.getLogger(__name__)

_UCF101_NAME = re.compile(r"v_(?P<label>[A-Za-z]+)_g(?P<group>\d+)_c\d+")
# In bytes: file systems take names of 255, and files are named after an id with up to 40 around it. Longer names are
# cut, which leaves room for a hash and for what tells namesakes apart.
LONGEST_ID = 200
_CUT = 180
# A line of UCF101's lists: a path and, in those for training, the number of its label.
_LIST_LINE = re.compile(r"(?P<path>\S.*?)(\s+\d+)?\s*")


@dataclass(frozen=True)
class VideoInput:
    """A video file that was asked for. relative: its path below the folder given, or its name alone."""

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

    @property
    def is_alone(self) -> bool:
        """Whether it was named by itself, and nothing but its own words says what it shows."""
        return self.relative.parent == Path() and _UCF101_NAME.fullmatch(self.path.stem) is None

    @property
    def group(self) -> str:
        """UCF101's number of the person and place, `01` of `v_Lunges_g01_c02`; empty for any other video."""
        named = _UCF101_NAME.fullmatch(self.path.stem)
        return named["group"] if named else ""


def find_videos(inputs: Sequence[Path], lists: Sequence[Path] = (), per_label: int | None = None) -> list[VideoInput]:
    """Files as given, folders searched for videos at any depth (hidden files left out); each file once.

    lists: files in the form of UCF101's trainlist01.txt and testlist01.txt; only what they name is taken.
    per_label: at most so many of each label, evenly over UCF101's groups (clips of a group are of one person and
    place), the same ones every time.
    """
    found: dict[Path, VideoInput] = {}
    for given in inputs:
        for video in _videos_at(given):
            found.setdefault(video.path.resolve(), video)
    if not found:
        raise InputError("no videos given; name video files or folders that hold some")
    videos = _listed(list(found.values()), lists) if lists else list(found.values())
    return videos if per_label is None else _spread(videos, per_label)


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
    for video in sorted(videos, key=lambda video: video.names):
        group = video.label, video.group
        ranked.setdefault(video.label, []).append((turns[group], video.names[0], video))
        turns[group] += 1
    taken = {video for of_label in ranked.values() for *_, video in sorted(of_label, key=_turn)[:per_label]}
    return [video for video in videos if video in taken]


def _turn(entry: tuple[int, str, VideoInput]) -> tuple[int, str]:
    return entry[:2]


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
    names = {name for video in videos for name in video.names}
    files = [(file, given), *((folder / CAPTIONS_FILE, captions) for folder, captions in sorted(beside.items()))]
    for table, captions in files:
        if unknown := sorted(set(captions) - names):
            count = counted(len(unknown), "video")
            log.warning("%s: %s not among the inputs, such as %s", table, count, unknown[0])
    found = {}
    for video in videos:
        sources = [given, *(beside.get(folder, {}) for folder in _folders(video))]
        matches = [source[name] for source in sources for name in video.names if name in source]
        found[video] = tuple(matches[0]) if matches else default_captions(video.label)
    return found


def default_captions(label: str) -> tuple[VideoCaption, ...]:
    """Captions of a video that no file of captions speaks of."""
    return tuple(map(VideoCaption, captions_for(label)))


def _folders(video: VideoInput) -> list[Path]:
    """From the video's own folder up to the one that was given."""
    return list(video.path.parents)[: len(video.relative.parts)]
