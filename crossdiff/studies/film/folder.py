"""Reading a folder of film with measured 3D motion; docs/evaluation.md has the format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.files import load_npz, sha256
from crossdiff.pipeline.inputs import find_videos
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33, to_joints
from crossdiff.skeleton import HUMANML3D

TRUTH, LANDMARKS, VIDEOS = "truth.npz", "mediapipe_world.npz", "videos"
# From y down and z away from the camera to y up and z towards it.
_Y_UP = np.array([1.0, -1.0, -1.0])
# Seconds within which a sample must lie for a time to count as covered by a series.
_REACH = 0.25
_TINY = 1e-6  # seconds
# A joint whose position depends on the convention of a skeleton: alignments and errors leave it out.
_PELVIS = "pelvis"
_ENOUGH = 4  # joints
_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))


@dataclass(frozen=True)
class Series:
    """Joints over time, as a static camera sees them: metres, x right, y up, z towards the camera.

    time: seconds of the video, ascending. joints: shape (F, J, 3).
    """

    time: Float[ndarray, " f"]
    joints: Float[ndarray, "f j 3"]

    def near(self, times: Float[ndarray, " t"]) -> Bool[ndarray, " t"]:
        """Which times have a frame within a quarter of a second."""
        if not len(self.time):
            return np.zeros(len(times), dtype=bool)
        after = np.searchsorted(self.time, times).clip(0, len(self.time) - 1)
        before = np.maximum(after - 1, 0)
        return np.minimum(abs(self.time[after] - times), abs(self.time[before] - times)) <= _REACH + _TINY

    def covers(self, times: Float[ndarray, " t"]) -> Bool[ndarray, " t"]:
        """Which times are near and not outside the series."""
        inside = (times >= self.time[0] - _TINY) & (times <= self.time[-1] + _TINY)
        return self.near(times) & inside

    def at(self, times: Float[ndarray, " t"]) -> Float[ndarray, "t j 3"]:
        """Joints at these times, interpolated linearly; the nearest frame outside the series."""
        flat = self.joints.reshape(len(self.time), -1)
        columns = [np.interp(times, self.time, column) for column in flat.T]
        return np.stack(columns, axis=-1).reshape(len(times), *self.joints.shape[1:])


@dataclass(frozen=True)
class Landmarks:
    """A person as a detector places them in space, frames without the person left out.

    time: seconds of the video. points: shape (F, K, 3), metres, y up, z towards the camera, any origin.
    """

    time: Float[ndarray, " f"]
    points: Float[ndarray, "f k 3"]
    keypoint_set: str

    @classmethod
    def of(cls, time: ndarray, world: Float[ndarray, "f k 3"], keypoint_set: str) -> Landmarks:
        """world: y down and z away from the camera, NaN in frames without the person."""
        known = np.isfinite(world).all(axis=(1, 2))
        return cls(time[known].astype(np.float64), world[known].astype(np.float64) * _Y_UP, keypoint_set)


@dataclass(frozen=True)
class FilmVideo:
    """A video with the measured motion of one person in it."""

    name: str
    path: Path
    source: str
    """Name of the group that it belongs to."""
    truth: Series
    names: tuple[str, ...]
    """Joints of the truth, by their names in HumanML3D."""
    up: Float[ndarray, "3"]
    """Direction against gravity in the truth's axes, of length 1."""
    weights: Float[ndarray, "j 33"] | None = None
    """Joints of the truth as weighted sums of BlazePose's landmarks; None: as the toolkit maps them."""

    @property
    def joints(self) -> list[int]:
        """Indices of the joints in HumanML3D."""
        return [HUMANML3D.index(name) for name in self.names]

    @property
    def compared(self) -> list[int]:
        """Rows of the truth that are compared: all joints but the pelvis."""
        return [row for row, name in enumerate(self.names) if name != _PELVIS]

    @property
    def root(self) -> list[int]:
        """Rows whose mean is the root."""
        return _root(self.names)

    def series_of(self, landmarks: Landmarks) -> Series:
        """The landmarks as joints of the truth."""
        if self.weights is not None and landmarks.keypoint_set == BLAZEPOSE33.name:
            return Series(landmarks.time, np.einsum("jk,fkc->fjc", self.weights, landmarks.points))
        seen = np.ones(landmarks.points.shape[:2], dtype=bool)
        joints, _ = to_joints(landmarks.points, seen, landmarks.keypoint_set)
        return Series(landmarks.time, joints[:, self.joints])

    @property
    def limbs(self) -> list[tuple[int, int]]:
        """Upper and lower end of every limb of which both are measured, as rows of the truth."""
        pairs = [(f"{side}_{start}", f"{side}_{end}") for side in "lr" for start, end in _LIMBS]
        return [(self.names.index(a), self.names.index(b)) for a, b in pairs if {a, b} <= set(self.names)]


@dataclass(frozen=True)
class FilmFolder:
    """Videos with measured motion."""

    path: Path
    fingerprint: str
    """Hash of the truth and the landmarks."""
    videos: tuple[FilmVideo, ...]
    mean_pose: Float[ndarray, "22 3"] | None
    """A pose that stands for frames without a label; None: the mean pose of the model's training data."""
    landmarks: Mapping[str, Landmarks] | None
    """The detector's own landmarks by video; None: those of the run."""

    @classmethod
    def read(cls, path: Path) -> FilmFolder:
        """Read and check a folder. InputError names the file, the array, and what is wrong with it."""
        file = path / TRUTH
        if not file.is_file():
            raise InputError(f"{path}: no folder of film with measured 3D, as it lacks {TRUTH}; see docs/evaluation.md")
        arrays = load_npz(file)
        names = sorted(key.removesuffix("/joints") for key in arrays if key.endswith("/joints"))
        if not names:
            raise InputError(f"{file}: holds no video; expected arrays named VIDEO/joints, VIDEO/names, ...")
        files = _files_by_name(path / VIDEOS)
        videos = tuple(_video(_Arrays(file, arrays, name), files, path / VIDEOS) for name in names)
        mean_pose = _Arrays(file, arrays).optional("mean_pose", (HUMANML3D.num_joints, 3))
        second = path / LANDMARKS
        landmarks = _read_landmarks(second, videos) if second.is_file() else None
        fingerprint = "-".join(sha256(f)[:16] for f in (file, second) if f.is_file())
        return cls(path, fingerprint, videos, mean_pose, landmarks)


@dataclass(frozen=True)
class _Arrays:
    """The arrays of one video in a file, or those of none, with checks."""

    file: Path
    arrays: Mapping[str, ndarray]
    video: str = ""

    def fail(self, name: str, wrong: str) -> InputError:
        return InputError(f"{self.file}: {self._key(name)}: {wrong}")

    def _key(self, name: str) -> str:
        return f"{self.video}/{name}" if self.video else name

    def text(self, name: str, default: str) -> str:
        return str(self.arrays.get(self._key(name), default))

    def optional(self, name: str, shape: tuple[int | None, ...]) -> ndarray | None:
        return self.numbers(name, shape) if self._key(name) in self.arrays else None

    def numbers(self, name: str, shape: tuple[int | None, ...], finite: bool = True) -> ndarray:
        """The array as float64; its shape must fit, where None stands for any size but 0."""
        values = self._get(name)
        sizes = zip(shape, values.shape, strict=False)
        if len(shape) != values.ndim or any(size != want if want is not None else size == 0 for want, size in sizes):
            wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
            raise self.fail(name, f"expected shape {wanted}, got {values.shape}")
        if values.dtype.kind not in "biuf":
            raise self.fail(name, f"expected numbers, got {values.dtype}")
        if finite and not np.isfinite(values).all():
            raise self.fail(name, "holds NaN or infinite values; leave such frames out")
        return values.astype(np.float64)

    def times(self, count: int) -> ndarray:
        time = self.numbers("time", (count,))
        if not (np.diff(time) > 0).all():
            raise self.fail("time", "expected ascending seconds")
        return time

    def joint_names(self, count: int) -> tuple[str, ...]:
        names = self._get("names")
        if names.shape != (count,):
            raise self.fail("names", f"expected {count} names, one for each joint, got shape {names.shape}")
        found = tuple(str(name) for name in names)
        if unknown := [name for name in found if name not in HUMANML3D.joint_names]:
            known = ", ".join(HUMANML3D.joint_names)
            raise self.fail("names", f"{', '.join(unknown)}: no joint of HumanML3D; those are: {known}")
        if len(set(found)) < count:
            raise self.fail("names", "a joint is named twice")
        if not _root(found):
            raise self.fail("names", "lacks the root: give pelvis, or both l_hip and r_hip")
        if len(set(found) - {_PELVIS}) < _ENOUGH:
            raise self.fail("names", f"expected {_ENOUGH} joints or more besides the pelvis, got {', '.join(found)}")
        return found

    def _get(self, name: str) -> ndarray:
        if self._key(name) not in self.arrays:
            raise InputError(f"{self.file}: lacks {self._key(name)}; see docs/evaluation.md")
        return self.arrays[self._key(name)]


def _root(names: tuple[str, ...]) -> list[int]:
    """Rows of the pelvis, else of both hips; empty without them."""
    hips = [names.index(name) for name in ("l_hip", "r_hip") if name in names]
    return [names.index(_PELVIS)] if _PELVIS in names else hips if len(hips) == 2 else []


def _files_by_name(folder: Path) -> dict[str, Path]:
    """The videos of a folder by their path in it, without the ending."""
    found: dict[str, Path] = {}
    for video in find_videos([folder]):
        name = video.relative.with_suffix("").as_posix()
        if name in found:
            raise InputError(f"{folder}: {found[name].name} and {video.path.name} have one name; rename one of them")
        found[name] = video.path.resolve()
    return found


def _video(arrays: _Arrays, files: Mapping[str, Path], folder: Path) -> FilmVideo:
    name = arrays.video
    if name not in files:
        raise InputError(f"{folder}: no video {name}, which {TRUTH} has; it has {', '.join(sorted(files))}")
    joints = arrays.numbers("joints", (None, None, 3))
    names = arrays.joint_names(joints.shape[1])
    rotation = arrays.numbers("R", (3, 3))
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) or np.linalg.det(rotation) < 0:
        raise arrays.fail("R", "no rotation: expected orthonormal rows and determinant 1")
    up = arrays.optional("up", (3,))
    turned = np.zeros(3) if up is None else rotation @ up * _Y_UP
    length = float(np.linalg.norm(turned))
    return FilmVideo(
        name=name,
        path=files[name],
        source=arrays.text("source", "film"),
        truth=Series(arrays.times(len(joints)), joints @ rotation.T * _Y_UP),
        names=names,
        up=turned / length if length else np.array([0.0, 1.0, 0.0]),
        weights=arrays.optional("mp_weights", (len(names), len(BLAZEPOSE33.names))),
    )


def _read_landmarks(file: Path, videos: tuple[FilmVideo, ...]) -> dict[str, Landmarks]:
    found, arrays = {}, load_npz(file)
    for video in videos:
        own = _Arrays(file, arrays, video.name)
        world = own.numbers("world", (None, len(BLAZEPOSE33.names), 3), finite=False)
        found[video.name] = Landmarks.of(own.times(len(world)), world, BLAZEPOSE33.name)
    return found
