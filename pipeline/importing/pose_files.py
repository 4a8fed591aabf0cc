"""Clips for import from files of 2D poses: keypoints in npz or JSON files, and the published poses of JHMDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from crossdiff.annotations.captions import VideoCaption, read_caption_csv
from crossdiff.data.captions import parse_caption
from crossdiff.errors import ClipError, CrossDiffError, InputError
from crossdiff.files import decoding, npz_names
from crossdiff.pipeline.captioning import captions_of, default_captions
from crossdiff.pipeline.importing.detections import PoseVideo, people_of
from crossdiff.pipeline.importing.imports import ImportedClip, UnusableClip, validate
from crossdiff.pipeline.importing.jhmdb import JHMDB_ARRAYS, read_jhmdb
from crossdiff.pipeline.importing.json_files import Document, FrameFiles, find_json
from crossdiff.pipeline.importing.npz import read_keypoints
from crossdiff.pipeline.importing.options import ImportOptions, OptionNeeded
from crossdiff.pipeline.importing.picture import (
    CameraRule,
    fit_picture,
    refuse_upside_down,
    reverse_y,
    upside_down,
    with_camera,
)
from crossdiff.pipeline.inputs import name_apart
from crossdiff.pipeline.video_input import VideoInput
from crossdiff.progress import track
from crossdiff.types import Keypoints2D

_MOST_SAMPLED = 200  # files that are checked for people upside down

UpsideDown = Bool[ndarray, " n"]


@dataclass(frozen=True)
class NpzFile:
    """A clip of one person."""

    video: VideoInput

    def sample(self) -> Iterator[Keypoints2D]:
        yield from (content for _, content in self.read() if isinstance(content, Keypoints2D))

    def read(self) -> Iterator[tuple[VideoInput, Keypoints2D | InputError]]:
        try:
            yield self.video, read_keypoints(self.video.path)
        except CrossDiffError as error:
            yield self.video, InputError(str(error))


PoseFile = NpzFile | FrameFiles | Document


@dataclass(frozen=True)
class PoseFiles:
    """The clips of a source."""

    count: int | None
    """Their number; None if it is unknown before reading, because each person of a video is a clip."""
    clips: Iterator[ImportedClip | UnusableClip]
    """Read one at a time."""


def read_poses(source: Path, captions: Path | None = None, options: ImportOptions | None = None) -> PoseFiles:
    """Clips of a folder of keypoints, of one file of keypoints, or of JHMDB's poses in one npz.

    A folder may hold npz files (see `npz.read_keypoints`) and JSON files of several tools (docs/pipeline.md), at any
    depth. Captions come from `captions`, a CSV file (video, caption), else from ID.txt (sentences, or lines of
    HumanML3D), else from captions.csv, else from an action in the name of the folder or the file.
    Raises InputError if a required option is missing, or if most people are upside down.
    """
    options = options or ImportOptions()
    given = read_caption_csv(captions) if captions is not None else {}
    if source.is_file() and source.suffix != ".json" and set(JHMDB_ARRAYS) <= set(npz_names(source)):
        return _read_jhmdb(source, given, options)
    files = find_pose_files(source)
    videos = _survey(source, files, options)
    named = name_apart(videos, {})
    captioned = captions_of(videos, captions, options.caption_part)
    clips = _Clips({video: name for name, video in named.items()}, captioned, given, options)
    if all(isinstance(file, NpzFile) for file in files):
        return PoseFiles(len(files), clips.read(files))
    return PoseFiles(None, clips.read(track(files, "files")))


def find_pose_files(source: Path) -> list[PoseFile]:
    """npz and JSON files in a folder at any depth, except hidden ones, or the given file."""
    if source.is_file():
        if source.suffix.lower() == ".json":
            return [Document(VideoInput(source, Path(source.name)), source)]
        return [NpzFile(VideoInput(source, Path(source.name)))]
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder; give a folder of .npz or .json files with keypoints")
    paths = [path for path in sorted(source.rglob("*")) if path.suffix in (".npz", ".json")]
    shown = [p for p in paths if not any(part.startswith(".") for part in p.relative_to(source).parts) and p.is_file()]
    if not shown:
        raise InputError(f"{source}: holds no .npz and no .json files; give a folder of keypoints")
    npz = [NpzFile(VideoInput(p, p.relative_to(source))) for p in shown if p.suffix == ".npz"]
    return [*npz, *find_json(source, [p for p in shown if p.suffix == ".json"])]


def _survey(source: Path, files: Sequence[PoseFile], options: ImportOptions) -> list[VideoInput]:
    """The videos of all files. Checks the options on all JSON files of whole videos and on some of the others."""
    spread = set(np.linspace(0, len(files) - 1, _MOST_SAMPLED).round().astype(int).tolist())
    videos: list[VideoInput] = []
    upside_downs: list[UpsideDown] = []
    contents: list[PoseVideo | Keypoints2D]
    for number, file in enumerate(files):
        sampled = number in spread and options.y_up is None
        if isinstance(file, Document):
            read = list(file.read())
            videos += [video for video, _ in read]
            contents = [content for _, content in read if isinstance(content, PoseVideo)]
        else:
            videos.append(file.video)
            contents = [*file.sample()] if sampled else []
        for content in contents:
            if isinstance(content, PoseVideo):
                _frame_rate(content, options)
            if sampled:
                upside_downs += _upside_down(content, options)
    refuse_upside_down(source, upside_downs)
    return videos


def _frame_rate(video: PoseVideo, options: ImportOptions) -> float:
    fps = options.fps or video.fps
    if fps is None:
        raise OptionNeeded("the files do not hold the frame rate; give the video's with --fps, such as --fps 30")
    return fps


def _upside_down(content: PoseVideo | Keypoints2D, options: ImportOptions) -> list[UpsideDown]:
    try:
        with decoding("poses", "poses that can be imported"):
            if isinstance(content, PoseVideo):
                return [content.upside_down(options.keypoint_set)]
            return [upside_down(content.xy, content.score > 0, content.keypoint_set)]
    except CrossDiffError:  # reported when the file is imported
        return []


def _read_jhmdb(source: Path, given: Mapping[str, list[VideoCaption]], options: ImportOptions) -> PoseFiles:
    clips = read_jhmdb(source, options.fps)
    if options.y_up is None:
        keypoints = (clip.keypoints for clip in clips)
        refuse_upside_down(source, (upside_down(k.xy, k.score > 0, k.keypoint_set) for k in keypoints))
    reader = _Clips({}, {}, given, options)
    ready = (replace(c, keypoints=reader.with_options(fit_picture(c.keypoints), "guess")) for c in clips)
    captioned = (
        replace(c, captions=tuple(given.get(c.id, ())) or default_captions(c.label, options.caption_part))
        for c in ready
    )
    return PoseFiles(len(clips), captioned)


@dataclass(frozen=True)
class _Clips:
    """Makes clips of the contents of files."""

    names: Mapping[VideoInput, str]
    captions: Mapping[VideoInput, Sequence[VideoCaption]]
    given: Mapping[str, list[VideoCaption]]
    """Captions by name of the video, which take precedence."""
    options: ImportOptions

    def read(self, files: Iterator[PoseFile] | Sequence[PoseFile]) -> Iterator[ImportedClip | UnusableClip]:
        for file in files:
            for video, content in file.read():
                name = self.names.get(video, video.id)
                try:
                    if isinstance(content, InputError):
                        raise content
                    with decoding(video.path, "poses that can be imported"):
                        clips = self._of(name, video, content)
                    yield from clips
                except (ClipError, InputError) as error:
                    yield UnusableClip(name, str(error))

    def _of(self, name: str, video: VideoInput, content: Keypoints2D | PoseVideo) -> list[ImportedClip]:
        captions = self._captions(video)
        if isinstance(content, Keypoints2D):
            rule: CameraRule | None = None if "camera_known" in npz_names(video.path) else "still"
            return [ImportedClip(name, self.with_options(content, rule), captions, video.label)]
        try:
            people = self._people(content)
        except (ClipError, InputError) as error:
            raise InputError(f"{video.path}: {error}") from None
        return [ImportedClip(f"{name}_p{n}", k, captions, video.label) for n, k in people.items()]

    def _people(self, video: PoseVideo) -> dict[int, Keypoints2D]:
        size = self.options.size or video.size
        table = video.keypoint_set(self.options.keypoint_set)
        people = people_of(video, _frame_rate(video, self.options), size or (1, 1), table)
        whole = {n: validate(keypoints) for n, keypoints in people.items()}
        return {n: self.with_options(k if size else fit_picture(k), "still") for n, k in whole.items()}

    def with_options(self, keypoints: Keypoints2D, rule: CameraRule | None) -> Keypoints2D:
        """Keypoints with y down, and the camera's movement by the option.

        rule: for the camera, without the option; None if the file gives the movement.
        """
        keypoints = reverse_y(keypoints) if self.options.y_up else keypoints
        return with_camera(keypoints, self.options.camera or rule) if rule else keypoints

    def _captions(self, video: VideoInput) -> tuple[VideoCaption, ...]:
        text = video.path.with_suffix(".txt")
        is_used = text.is_file() and not any(name in self.given for name in video.names)
        return tuple((read_sentences(text) if is_used else ()) or self.captions.get(video, ()))


def read_sentences(path: Path) -> list[VideoCaption]:
    """One caption per line: a plain sentence, or `caption#tokens#start#end` as in HumanML3D."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError(f"{path}: not readable as text ({error}); save it as UTF-8") from None
    captions = []
    for line in (line.strip() for line in lines):
        if "#" in line:
            parsed = parse_caption(line)
            captions.append(VideoCaption(parsed.text, parsed.start, parsed.end))
        elif line:
            captions.append(VideoCaption(line))
    return captions
