"""Files of 2D poses to clips for import: folders of keypoints, and the published poses of JHMDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from crossdiff.annotations.captions import VideoCaption, read_caption_csv
from crossdiff.data.captions import parse_caption
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npz, npz_names
from crossdiff.pipeline.imports import ImportedClip, UnusableClip, checked
from crossdiff.pipeline.inputs import VideoInput, captions_of, name_apart
from crossdiff.pipeline.jhmdb import JHMDB_ARRAYS, read_jhmdb
from crossdiff.pipeline.mapping import keypoint_set_named
from crossdiff.types import Keypoints2D

CameraRule = Literal["still", "unknown", "guess"]

_NEEDED = ("xy", "score", "fps", "keypoint_set")
_OPTIONAL = ("frame", "size", "time", "camera", "camera_known")
_MARGIN = 0.1  # of the poses' extent, around them, where the size of their frame is not known
# See `rests`: trunk lengths per second, and seconds over which they are measured.
_RESTING, _STRIDE = 0.4, 0.2


def camera_rule(name: str | None) -> CameraRule | None:
    """A rule by its name; None stays None."""
    for rule in get_args(CameraRule):
        if rule == name:
            return rule
    if name is not None:
        raise InputError(f"no rule {name!r} for the camera; there are: {', '.join(get_args(CameraRule))}")
    return None


@dataclass(frozen=True)
class PoseFiles:
    """Clips that a source holds, to be read one after the other; count: how many."""

    count: int
    clips: Iterator[ImportedClip | UnusableClip]


def read_poses(source: Path, captions: Path | None = None, camera: CameraRule | None = None) -> PoseFiles:
    """Clips of a folder of keypoints (see `read_keypoints`), of one such file, or of JHMDB's poses in one npz.

    captions: a CSV file (video, caption) that comes before all others. In a folder ID.txt is next (sentences, or
    lines of HumanML3D), then captions.csv, then the action that the folder or the file is named after.
    camera: what to take it for where a file does not say: `still` (without it for keypoints), `unknown`, or `guess`
    by what the person does (without it for JHMDB; see `rests`).
    """
    given = read_caption_csv(captions) if captions is not None else {}
    if source.is_file() and set(JHMDB_ARRAYS) <= set(npz_names(source)):
        clips = read_jhmdb(source)
        return PoseFiles(len(clips), (_of_jhmdb(clip, given, camera or "guess") for clip in clips))
    files = name_apart(find_pose_files(source), {})
    captioned = captions_of(list(files.values()), captions)
    return PoseFiles(
        len(files), (_read(name, file, given, captioned[file], camera or "still") for name, file in files.items())
    )


def find_pose_files(source: Path) -> list[VideoInput]:
    """npz files in a folder at any depth (hidden ones left out), or the one that was given."""
    if source.is_file():
        return [VideoInput(source, Path(source.name))]
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder; give a folder of .npz files with keypoints")
    relative = (path.relative_to(source) for path in sorted(source.rglob("*.npz")) if path.is_file())
    found = [VideoInput(source / p, p) for p in relative if not any(part.startswith(".") for part in p.parts)]
    if not found:
        raise InputError(f"{source}: holds no .npz files; give a folder of keypoints, one file for each clip")
    return found


def _of_jhmdb(clip: ImportedClip, given: Mapping[str, list[VideoCaption]], camera: CameraRule) -> ImportedClip:
    keypoints = with_camera(framed(clip.keypoints), camera)
    return replace(clip, keypoints=keypoints, captions=tuple(given.get(clip.id, ())))


def _read(
    name: str,
    file: VideoInput,
    given: Mapping[str, list[VideoCaption]],
    captions: Sequence[VideoCaption],
    camera: CameraRule,
) -> ImportedClip | UnusableClip:
    text = file.path.with_suffix(".txt")
    try:
        keypoints = read_keypoints(file.path)
        if "camera_known" not in npz_names(file.path):
            keypoints = with_camera(checked(keypoints), camera)
        if text.is_file() and not any(called in given for called in file.names):
            captions = read_sentences(text) or captions
    except (ClipError, InputError) as error:
        return UnusableClip(name, str(error))
    return ImportedClip(name, keypoints, tuple(captions), file.label)


def read_sentences(path: Path) -> list[VideoCaption]:
    """A caption in each line: a sentence alone, or `caption#tokens#start#end` as in HumanML3D."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError(f"{path}: not readable as text ({error}); save it as UTF-8") from None
    found = []
    for line in (line.strip() for line in lines):
        if "#" in line:
            parsed = parse_caption(line)
            found.append(VideoCaption(parsed.text, parsed.start, parsed.end))
        elif line:
            found.append(VideoCaption(line))
    return found


def read_keypoints(path: Path) -> Keypoints2D:
    """Keypoints of a person: an npz of xy (F, K, 2), score (F, K), fps and keypoint_set, as `Keypoints2D` says.

    Without `frame` the frames are successive ones; without `size` (width, height) that of a picture which holds all
    poses, moved into it.
    """
    names = npz_names(path)
    z = load_npz(path, [*_NEEDED, *(name for name in _OPTIONAL if name in names)])
    try:
        fps, (width, height) = float(z["fps"]), map(int, z.get("size", np.zeros(2)))
        xy, score = (z[name].astype(np.float32) for name in ("xy", "score"))
        found = Keypoints2D(
            xy=xy,
            score=score,
            frame=z.get("frame", np.arange(len(xy))),
            fps=fps,
            size=(width, height),
            keypoint_set=str(z["keypoint_set"]),
            **{name: z[name] for name in ("time", "camera") if name in z},
            **({"camera_known": z["camera_known"].astype(bool)} if "camera_known" in z else {}),
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: not keypoints ({error}); docs/pipeline.md says what the arrays are") from None
    return found if "size" in z else framed(found)


def framed(keypoints: Keypoints2D) -> Keypoints2D:
    """The same poses and camera in a picture that holds all poses, with a margin; unseen keypoints (score 0) do not
    count."""
    seen = keypoints.xy[(keypoints.score > 0) & np.isfinite(keypoints.xy).all(axis=-1)]
    if not len(seen):
        return replace(keypoints, size=(1, 1))
    low, high = seen.min(axis=0), seen.max(axis=0)
    margin = _MARGIN * float((high - low).max())
    width, height = np.maximum(np.ceil(high - low + 2 * margin), 1).astype(int).tolist()
    move = margin - low
    camera = keypoints.camera.astype(np.float64)
    camera[:, :, 2] += move - camera[:, :, :2] @ move
    return replace(keypoints, xy=keypoints.xy + move, size=(width, height), camera=camera)


def with_camera(keypoints: Keypoints2D, rule: CameraRule) -> Keypoints2D:
    """The keypoints, with the camera's movement marked as unknown unless it rests by this rule."""
    if rule == "still" or (rule == "guess" and rests(keypoints)):
        return keypoints
    return replace(keypoints, camera_known=np.zeros(len(keypoints.frame), dtype=bool))


def rests(keypoints: Keypoints2D) -> bool:
    """Whether the camera seems to rest: for half of the time a hand or a foot does (where no foot is seen, the hips).

    That is, it moves by less than 0.4 trunk lengths per second. Tried on motion capture in random side views, 32
    frames each: of people who walk before a resting camera 90 % pass, before one that follows them 27 %; of people
    who run hardly any do, whatever the camera does.
    """
    body = keypoint_set_named(keypoints.keypoint_set).body
    xy, score, time = keypoints.xy[:, body].astype(np.float64), keypoints.score[:, body], keypoints.time
    whole = xy[(score[:, [0, 1, 6, 7]] > 0).all(axis=1)]
    if not len(whole):
        return False
    trunk = float(np.percentile(np.linalg.norm(whole[:, :2].mean(axis=1) - whole[:, 6:8].mean(axis=1), axis=-1), 90))
    later = np.searchsorted(time, time + _STRIDE - 1e-6)
    early = np.flatnonzero(later < len(time))
    later = later[early]
    if not len(early) or not trunk > 0:
        return False
    ends = [4, 5, 10, 11] if (score[:, 10:] > 0).any() else [4, 5, 6, 7]
    seen = (score[early][:, ends] > 0) & (score[later][:, ends] > 0)
    way = np.linalg.norm(xy[later][:, ends] - xy[early][:, ends], axis=-1)
    speed = np.where(seen, way / (time[later] - time[early])[:, None], np.inf).min(axis=1)
    return bool(np.median(speed) < _RESTING * trunk)
