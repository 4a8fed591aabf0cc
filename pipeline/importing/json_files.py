"""JSON files of poses in a folder: files of single frames, grouped by video, and files of whole videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossdiff.errors import CrossDiffError, InputError
from crossdiff.files import decoding, read_json
from crossdiff.pipeline.importing import coco, mmpose, openpose
from crossdiff.pipeline.importing.detections import Detection, PoseVideo
from crossdiff.pipeline.importing.image_names import frame_of
from crossdiff.pipeline.video_input import VideoInput

# Names of AlphaPose's files, which do not depend on the video.
_ALPHAPOSE, _ALPHAPOSE_FRAMES = "alphapose-results", "sep-json"
# Suffixes of the video's name in the names of folders of its frames.
_FOLDER_ENDINGS = ("", "_json", "_keypoints", "_openpose")
_MOST_SAMPLED = 64  # frames of a video that are sampled before it is read


@dataclass(frozen=True)
class FrameFiles:
    """A video with one JSON file per frame."""

    video: VideoInput
    files: Sequence[tuple[int, Path]]
    """Frame numbers and files."""
    source: Path
    """The imported folder; reports name files by their path in it."""

    def sample(self) -> Iterator[PoseVideo]:
        """The video with evenly spaced frames; unreadable ones are skipped."""
        chosen = np.unique(np.linspace(0, len(self.files) - 1, _MOST_SAMPLED).round().astype(int))
        some = FrameFiles(self.video, [self.files[n] for n in chosen], self.source)
        yield from (content for _, content in some.read() if isinstance(content, PoseVideo))

    def read(self) -> Iterator[tuple[VideoInput, PoseVideo | InputError]]:
        """An error for each unreadable file, whose frame is skipped, then the video."""
        frames: dict[int, list[Detection]] = {}
        for number, path in self.files:
            try:
                if number in frames:
                    raise InputError(f"{path}: another file of this folder is frame {number} too; remove one")
                frames[number] = _read_frame(path)
            except CrossDiffError as error:
                yield VideoInput(path, path.relative_to(self.source)), InputError(str(error))
        if any(frames.values()):
            yield self.video, PoseVideo(frames)
        elif frames:
            yield self.video, InputError(f"{self.video.path.parent}: no person in any frame of {self.video.path.stem}")


@dataclass(frozen=True)
class Document:
    """A JSON file of one or several videos."""

    video: VideoInput
    path: Path

    def sample(self) -> Iterator[PoseVideo]:
        yield from (content for _, content in self.read() if isinstance(content, PoseVideo))

    def read(self) -> Iterator[tuple[VideoInput, PoseVideo | InputError]]:
        """The videos, named by the file and, if there are several, their own names; an error alone if it is broken."""
        try:
            with decoding(self.path, "poses of a known form"):
                videos = _read_videos(self.path)
            for video in videos:
                yield self._input(video.name), video
        except CrossDiffError as error:
            yield self.video, InputError(str(error) if str(self.path) in str(error) else f"{self.path}: {error}")

    def _input(self, name: str) -> VideoInput:
        if not name:
            return self.video
        parts = [part for part in name.split("/") if part not in ("", ".", "..")]
        inside = Path(*parts[:-1], f"{parts[-1]}.json") if parts else Path("_.json")
        return VideoInput(self.video.path.with_suffix("") / inside, self.video.relative.with_suffix("") / inside)


def find_json(source: Path, paths: Sequence[Path]) -> list[FrameFiles | Document]:
    """The files, grouped by video. source: the folder that contains them."""
    groups: dict[tuple[Path, str], list[tuple[int, Path]]] = {}
    videos: list[FrameFiles | Document] = []
    results = {path.parent for path in paths if path.stem == _ALPHAPOSE}
    for path in paths:
        frame = frame_of(path)
        if path.parent.name == _ALPHAPOSE_FRAMES and path.parent.parent in results:
            continue  # the same results, written once more per frame
        if frame is None:
            videos.append(_document(path, source))
        else:
            groups.setdefault((path.parent, frame[0]), []).append((frame[1], path))
    taken: set[Path] = {file.video.path for file in videos}
    for (folder, name), files in groups.items():
        if not _are_frames([path for _, path in files]):
            videos += [_document(path, source) for _, path in files]
            continue
        video = next(v for v in _names(folder, name, source) if v.path not in taken)
        taken.add(video.path)
        videos.append(FrameFiles(video, sorted(files), source))
    return videos


def _document(path: Path, source: Path) -> Document:
    """The document of a file, named after the file, or after its folder if its name is generic."""
    if path.stem == _ALPHAPOSE and path.parent != source:
        named = path.parent.parent / f"{path.parent.name}.json"
    elif path.stem == _ALPHAPOSE:
        named = source / f"{source.resolve().name}.json"
    else:
        named = path
    return Document(VideoInput(named, named.relative_to(source)), path)


def _names(folder: Path, name: str, source: Path) -> Iterator[VideoInput]:
    """Possible names of a video of frame files, best first: `cam1` for `cam1_json/cam1_000000.json`."""
    plain = folder.parent if folder.name == _ALPHAPOSE_FRAMES and folder != source else folder
    called = plain.resolve().name
    stem = name or next((called.removesuffix(end) for end in _FOLDER_ENDINGS[1:] if called.endswith(end)), called)
    if plain != source and called in {stem + end for end in _FOLDER_ENDINGS}:
        yield _named(plain.parent, stem, source)
    yield _named(plain, stem, source)
    number = 2
    while True:
        yield _named(folder, f"{stem}-{number}", source)
        number += 1


def _named(folder: Path, stem: str, source: Path) -> VideoInput:
    path = folder / f"{stem}.json"
    return VideoInput(path, path.relative_to(source))


def _are_frames(paths: Sequence[Path]) -> bool:
    """Whether numbered files hold one frame each, by the first readable one."""
    for path in paths:
        try:
            value = read_json(path)
        except CrossDiffError:
            continue
        return openpose.is_frame(value) or mmpose.is_frame(value) or value == []
    return False


def _read_frame(path: Path) -> list[Detection]:
    with decoding(path, "poses of a known form"):
        value = read_json(path)
        try:
            if value == []:  # mmpose writes this for an image without people
                return []
            return mmpose.read_frame(value) if mmpose.is_frame(value) else openpose.read_frame(value)
        except CrossDiffError as error:
            raise InputError(f"{path}: {error}") from None


_FORMATS = (
    (coco.is_annotations, coco.read_annotations),
    (coco.is_results, coco.read_results),
    (mmpose.is_video, mmpose.read_video),
    (openpose.is_frames, openpose.read_frames),
)


def _read_videos(path: Path) -> list[PoseVideo]:
    value: Any = read_json(path)
    for fits, read in _FORMATS:
        if fits(value):
            return read(value)
    if openpose.is_frame(value) or mmpose.is_frame(value):
        return [PoseVideo({0: _read_frame(path)})]
    raise InputError("no poses of a known form; docs/pipeline.md lists what can be imported")
