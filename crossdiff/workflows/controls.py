"""What a sampled motion is led by, as typed on the command line: a motion to edit, a path, goals."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossdiff.data.plausible import check_joints, check_leg
from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.floor_path import FloorPath
from crossdiff.diffusion.goals import Goal
from crossdiff.errors import ClipError, InputError
from crossdiff.files import decoding, load_npy, sha256
from crossdiff.skeleton import Skeleton


@dataclass(frozen=True)
class EditFile:
    """A motion to edit and the part of it to keep, as typed on the command line."""

    motion: Path
    """Joints (F, J, 3), metres, Y up, as .npy."""
    keep_frames: str | None = None
    """Ranges such as 0:30,90:120, ends excluded; -30: is the last 30 frames. None: all frames."""
    keep_joints: str | None = None
    """lower, upper, or names of joints, separated by commas. None: all joints."""

    @classmethod
    def of(cls, motion: Path | None, keep_frames: str | None, keep_joints: str | None) -> EditFile | None:
        """None without a motion; InputError for a part to keep without a motion."""
        if motion is None and (keep_frames or keep_joints):
            raise InputError("keep: expected a motion to keep a part of; name it with --edit MOTION.npy")
        return None if motion is None else cls(motion, keep_frames, keep_joints)

    @property
    def num_frames(self) -> int:
        joints = load_npy(self.motion)
        return len(joints) if joints.ndim else 0

    def load(self, skeleton: Skeleton) -> Edit:
        frames = None if self.keep_frames is None else _ranges(self.keep_frames)
        joints = None if self.keep_joints is None else [name.strip() for name in self.keep_joints.split(",")]
        motion = load_npy(self.motion)
        with decoding(self.motion, "a motion that can be edited"):
            edit = Edit.from_joints(motion, frames, joints, skeleton)
            try:
                check_joints(motion)
                check_leg(motion, skeleton)
            except ClipError as error:
                raise InputError(f"{self.motion}: {error}") from None
        return edit

    def record(self) -> dict[str, str | None]:
        return {
            "motion": self.motion.name,
            "sha256": sha256(self.motion),
            "keep_frames": self.keep_frames,
            "keep_joints": self.keep_joints,
        }


def _ranges(text: str) -> list[slice]:
    """The slices of `0:30,90:120`."""
    matches = [re.fullmatch(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*", part) for part in text.split(",")]
    if None in matches:
        raise InputError(f"keep frames: expected ranges such as 0:30,90:120, got {text!r}")
    return [slice(*(None if end is None else int(end) for end in part.groups())) for part in matches if part]


@dataclass(frozen=True)
class SampleControls:
    """What leads the motions of a request, besides their text."""

    edit: EditFile | None = None
    """A motion of which a part is kept."""
    path: FloorPath | None = None
    """A path on the floor that the pelvis follows."""
    goals: tuple[Goal, ...] = ()
    """Points that hands or feet reach."""
    raw: bool = False
    """Leave the joints as the network made them. Otherwise feet are planted (`foot_lock.plant_feet`), and a motion is
    mirrored if its prompt names the other hand or leg (`named_side.on_named_side`)."""

    @property
    def lead(self) -> bool:
        """Whether something besides the text leads the motion."""
        return self.edit is not None or self.path is not None or bool(self.goals)

    def record(self) -> dict[str, Any]:
        """Everything that the motions depend on."""
        path = self.path
        times = None if path is None or path.times is None else path.times.tolist()
        return {
            "edit": None if self.edit is None else self.edit.record(),
            "path": None if path is None else {"points": path.points.tolist(), "times": times},
            "goals": [{**asdict(goal), "position": list(goal.position)} for goal in self.goals],
            "feet": "raw" if self.raw else "planted",
            "sides": "raw" if self.raw else "as named",
        }


TEXT_ALONE = SampleControls()


def read_controls(
    edit: Path | None = None,
    keep_frames: str | None = None,
    keep_joints: str | None = None,
    path: Path | None = None,
    waypoints: str | None = None,
    goals: Sequence[str] = (),
    raw: bool = False,
) -> SampleControls:
    """The controls as typed: a motion to edit and what to keep of it, a path's file or its points, goals."""
    if path is not None and waypoints is not None:
        raise InputError("path: expected --path or --waypoints, got both; leave one out")
    floor = read_path(path) if path is not None else None if waypoints is None else read_waypoints(waypoints)
    kept = EditFile.of(edit, keep_frames, keep_joints)
    return SampleControls(kept, floor, tuple(Goal.parse(goal) for goal in goals), raw)


def read_waypoints(text: str) -> FloorPath:
    """The path of `0,0 2,1 2,4`: x and z in metres of each point."""
    points = [part.split(",") for part in text.split()]
    try:
        return FloorPath(np.array([[float(value) for value in point] for point in points]))
    except ValueError:
        raise InputError(f"waypoints: expected points X,Z in metres, such as '0,0 2,1 2,4', got {text!r}") from None


def read_path(file: Path) -> FloorPath:
    """A path from a CSV file with the columns x and z in metres, and optionally time in seconds.

    Without times, the points are passed at the pace that the model wants.
    """
    with decoding(file, "a path"):
        text = file.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines(), skipinitialspace=True))
    columns = {"x", "z", "time"} & set(rows[0] if rows else ())
    try:
        values = {name: np.array([float(row[name]) for row in rows]) for name in columns}
        points = np.stack([values["x"], values["z"]], axis=1)
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{file}: expected a first line x,z or x,z,time, and numbers below it, in metres and seconds"
        ) from None
    try:
        return FloorPath(points, values.get("time"))
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
