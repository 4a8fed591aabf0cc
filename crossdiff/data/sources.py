"""Raw motion that `crossdiff prepare` reads: joint arrays, AMASS, BVH; with captions and split lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.data.amass import BodyModels, is_amass, read_amass
from crossdiff.data.bvh import JointMap, joints_of, read_bvh
from crossdiff.data.captions import Caption, parse_captions
from crossdiff.data.clip_names import dataset_names
from crossdiff.data.companions import companion_suffix, is_shown, read_splits, read_texts
from crossdiff.data.segments import find_index, read_segments
from crossdiff.errors import ClipError, InputError
from crossdiff.files import decoding, load_npy, load_npz, npz_names

_PACKED = {"joints_delta", "offsets", "ids", "unit_m"}
# AMASS: body shapes of a subject, and the first stage of a fit, which hold no motion.
_NO_MOTION = re.compile(r"shape|neutral_stagei|.*_stagei", re.IGNORECASE)
# AMASS: what names of recordings end in, by release; the index of clips says `_poses`.
_RELEASE = re.compile(r"_(poses|stageii)$")


@dataclass(frozen=True)
class RawMotion:
    """joints: unchecked, Y up. fps, metres_per_unit: None if the file does not tell."""

    joints: Float[ndarray, "f j 3"]
    fps: float | None = None
    metres_per_unit: float | None = None


@dataclass(frozen=True)
class RawClip:
    """A clip that is read on demand; `read` raises ClipError or InputError for an unusable file.

    name: its id in the dataset, which names files and is one word.
    recording: path of the file below the source's folder, without suffix.
    span: (start, stop) of the clip in the recording, in seconds; stop None: to its end; span None: all of it.
    """

    id: str
    read: Callable[[], RawMotion]
    name: str = ""
    recording: str = ""
    span: tuple[float, float | None] | None = None


@dataclass(frozen=True)
class RawSource:
    """Raw motion with its captions and split lists.

    texts: clip id -> lines of a caption file; splits: clip id -> split (may be empty); absent: ids of listed clips
    that have no motion.
    """

    kind: str
    clips: list[RawClip]
    texts: dict[str, list[str]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [clip.id for clip in self.clips]

    def captions(self, clip_id: str) -> tuple[list[Caption], list[str]]:
        """Captions of a clip, and the errors of malformed lines."""
        return parse_captions(self.texts.get(clip_id, []))


def open_source(
    source: Path, joint_map: JointMap | None = None, body_models: Path | None = None, index: Path | None = None
) -> RawSource:
    """Find motions, `texts/` or `texts.zip`, and `train|val|test.txt` in a folder (or beside a single file).

    Beside `motions_more.npz`, `texts_more.zip` and `train_more.txt` come first, and so for any other ending.
    joint_map: needed for BVH; body_models: folder, needed for AMASS; index: HumanML3D's index.csv of clips in
    recordings, found in the folder where it is not given.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; give a folder of motions, or one .npz or .bvh file")
    folder = source if source.is_dir() else source.parent
    if source.is_file() and source.suffix.lower() not in (".npz", ".bvh"):
        raise InputError(f"{source}: expected an .npz or .bvh file or a folder, got a {source.suffix or 'plain'} file")
    raw = _recordings(source, joint_map, body_models) or _arrays(source)
    if raw.kind == "joints":
        if index is not None:
            raise InputError(f"{index}: an index cuts AMASS or BVH recordings; {source} holds joint arrays")
    elif index := index or find_index(folder):
        raw = _cut(raw, index)
    suffix = companion_suffix(source)
    texts, splits = read_texts(folder, suffix), read_splits(folder, suffix)
    ids = set(raw.ids)
    known = ids | {f"M{i}" for i in ids} | set(raw.absent)
    absent = [*raw.absent, *(i for i in splits if i not in known and i.removeprefix("M") not in raw.absent)]
    names = dataset_names(raw.ids)
    clips = [replace(clip, name=name) for clip, name in zip(raw.clips, names, strict=True)]
    return replace(raw, clips=clips, texts=texts, splits=splits, absent=absent)


def _arrays(source: Path) -> RawSource:
    """Joint arrays: a packed or plain npz, or a folder of npy files."""
    motions = [source] if source.is_file() else _find_arrays(source)
    if motions[0].suffix == ".npz":
        return RawSource("joints", _npz_clips(motions[0]))
    return RawSource("joints", [RawClip(path.stem, partial(_read_npy, path)) for path in motions])


def _find_arrays(folder: Path) -> list[Path]:
    packed = folder / "motions.npz"
    if packed.is_file():
        return [packed]
    for place in (folder / "new_joints", folder / "joints", folder):
        if found := sorted(p for p in place.glob("*.npy") if is_shown(p.relative_to(folder))):
            return found
    found = sorted(p for p in folder.glob("*.npz") if is_shown(p.relative_to(folder)))
    if len(found) > 1:
        raise InputError(f"{folder}: holds {len(found)} npz files; give one of them, such as {found[0]}")
    if found:
        return found
    raise InputError(
        f"{folder}: holds no motions; expected new_joint_vecs/, .npy files, motions.npz, an .npz of joints, "
        "AMASS's .npz files, or .bvh files"
    )


def _read_npy(path: Path) -> RawMotion:
    return RawMotion(load_npy(path))


def _npz_clips(path: Path) -> list[RawClip]:
    names = npz_names(path)
    if not set(names) >= _PACKED:
        return [RawClip(name, partial(_read_named, path, name)) for name in names]
    z = load_npz(path, _PACKED)
    with decoding(path, "packed clips"):
        starts, delta, unit = z["offsets"], z["joints_delta"], float(z["unit_m"])
        return [
            RawClip(str(clip_id), partial(_unpack, delta[start:stop], unit))
            for clip_id, start, stop in zip(z["ids"], starts[:-1], starts[1:], strict=True)
        ]


def _read_named(path: Path, name: str) -> RawMotion:
    return RawMotion(load_npz(path, [name])[name])


def _unpack(delta: ndarray, unit: float) -> RawMotion:
    return RawMotion((np.cumsum(delta.astype(np.int64), axis=0) * unit).astype(np.float32))


def _recordings(source: Path, joint_map: JointMap | None, body_models: Path | None) -> RawSource | None:
    """BVH or AMASS files in the folder and below; None if there are none."""
    folder = source if source.is_dir() else source.parent
    if bvh := _files(source, ".bvh"):
        if joint_map is None:
            raise InputError(
                f"{source}: BVH files need a joint map: --joint-map bvh_cmu, --joint-map bvh_bandai_namco, "
                "or a YAML file of your own (docs/data.md)"
            )
        return RawSource("bvh", _named(bvh, folder, lambda path: partial(_read_bvh, path, joint_map)))
    amass = [path for path in _files(source, ".npz") if not _NO_MOTION.fullmatch(path.stem)]
    if not any(is_amass(path) for path in amass[:20]):
        return None
    models = BodyModels(body_models)
    return RawSource("amass", _named(amass, folder, lambda path: partial(_read_amass, path, models)))


def _files(source: Path, suffix: str) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() == suffix else []
    found = (p for p in source.rglob("*") if p.suffix.lower() == suffix and is_shown(p.relative_to(source)))
    return sorted(p for p in found if p.is_file())


def _named(paths: list[Path], folder: Path, reader: Callable[[Path], Callable[[], RawMotion]]) -> list[RawClip]:
    """Clips named after their files, or after their paths if names repeat."""
    unique = len({p.stem for p in paths}) == len(paths)
    below = [p.relative_to(folder).with_suffix("") for p in paths]
    return [
        RawClip(path.stem if unique else "_".join(short.parts), reader(path), recording=short.as_posix())
        for path, short in zip(paths, below, strict=True)
    ]


def _read_bvh(path: Path, joint_map: JointMap) -> RawMotion:
    bvh = read_bvh(path)
    try:
        return RawMotion(joints_of(bvh, joint_map), bvh.fps, 1.0)
    except ClipError as error:
        raise ClipError(f"{path}: {error}") from None


def _read_amass(path: Path, models: BodyModels) -> RawMotion:
    motion = read_amass(path)
    return RawMotion(models.joints(motion), motion.fps, 1.0)


def _cut(raw: RawSource, index: Path) -> RawSource:
    """The clips that an index cuts from the recordings."""
    recordings = {_RELEASE.sub("", clip.recording): clip for clip in raw.clips}
    recordings |= {clip.recording: clip for clip in raw.clips}
    clips, absent = [], []
    for segment in read_segments(index):
        found = recordings.get(segment.recording) or recordings.get(_RELEASE.sub("", segment.recording))
        if found is not None:
            span = (segment.start, segment.stop)
            clips.append(RawClip(segment.clip_id, found.read, recording=segment.recording, span=span))
        else:
            absent.append(segment.clip_id)
    return replace(raw, clips=clips, absent=absent)
