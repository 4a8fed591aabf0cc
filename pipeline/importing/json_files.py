"""JSON files of poses in a folder: those with one frame each, by video, and those that hold whole videos."""

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
from crossdiff.pipeline.inputs import VideoInput

# What AlphaPose calls its files, whatever the video's name.
_ALPHAPOSE, _ALPHAPOSE_FRAMES = "alphapose-results", "sep-json"
# What tools put behind the video's name for the folder of its frames.
_FOLDER_ENDINGS = ("", "_json", "_keypoints", "_openpose")
_MOST_READ = 64  # frames of a video that are looked at before it is read


@dataclass(frozen=True)
class FrameFiles:
    """A video of one JSON file for each frame. source: the folder that the files' names in reports are below."""

    video: VideoInput
    files: Sequence[tuple[int, Path]]
    source: Path

    def sample(self) -> Iterator[PoseVideo]:
        """The video with some of its frames, evenly; those that cannot be read are left out."""
        chosen = np.unique(np.linspace(0, len(self.files) - 1, _MOST_READ).round().astype(int))
        some = FrameFiles(self.video, [self.files[n] for n in chosen], self.source)
        yield from (content for _, content in some.read() if isinstance(content, PoseVideo))

    def read(self) -> Iterator[tuple[VideoInput, PoseVideo | InputError]]:
        """The files that cannot be read, which cost their frames alone, then the video."""
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
    """A JSON file that holds a video, or several."""

    video: VideoInput
    path: Path

    def sample(self) -> Iterator[PoseVideo]:
        yield from (content for _, content in self.read() if isinstance(content, PoseVideo))

    def read(self) -> Iterator[tuple[VideoInput, PoseVideo | InputError]]:
        """Each video under a name below the file's where it holds several; the error alone where it is broken."""
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
    """The files, put together by video. source: the folder that they are below."""
    groups: dict[tuple[Path, str], list[tuple[int, Path]]] = {}
    found: list[FrameFiles | Document] = []
    results = {path.parent for path in paths if path.stem == _ALPHAPOSE}
    for path in paths:
        frame = frame_of(path)
        if path.parent.name == _ALPHAPOSE_FRAMES and path.parent.parent in results:
            continue  # AlphaPose writes the same once more for each frame
        if frame is None:
            found.append(_document(path, source))
        else:
            groups.setdefault((path.parent, frame[0]), []).append((frame[1], path))
    taken: set[Path] = {file.video.path for file in found}
    for (folder, name), files in groups.items():
        if not _are_frames([path for _, path in files]):
            found += [_document(path, source) for _, path in files]
            continue
        video = next(v for v in _names(folder, name, source) if v.path not in taken)
        taken.add(video.path)
        found.append(FrameFiles(video, sorted(files), source))
    return found


def _document(path: Path, source: Path) -> Document:
    """Name of the clips: the file's, or its folder's if the file has a generic name."""
    if path.stem == _ALPHAPOSE and path.parent != source:
        named = path.parent.parent / f"{path.parent.name}.json"
    elif path.stem == _ALPHAPOSE:
        named = source / f"{source.resolve().name}.json"
    else:
        named = path
    return Document(VideoInput(named, named.relative_to(source)), path)


def _names(folder: Path, name: str, source: Path) -> Iterator[VideoInput]:
    """What a video of frames may be called, best first: `cam1_json/cam1_000000.json` is of `cam1`."""
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
    """Whether files that are numbered alike hold a frame each; the first that can be read tells."""
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
            if value == []:  # mmpose, of an image without people
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
