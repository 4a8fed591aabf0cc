"""Conditions on the place of a motion, imposed on every prediction of x_start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from crossdiff.diffusion.editing import Edit
from crossdiff.diffusion.floor_path import FloorPath, follow
from crossdiff.diffusion.goals import Goal, approach, reach, stretch
from crossdiff.errors import InputError
from crossdiff.models.model import CrossDiffModel
from crossdiff.representation.foot_lock import plant_feet
from crossdiff.representation.root_track import RootTrack, hold, place_joints, root_track, with_root_track
from crossdiff.types import Motion3D


class PlaceControl:
    """A path, the places of kept frames, and goals, for every motion of a batch."""

    def __init__(
        self,
        model: CrossDiffModel,
        lengths: Sequence[int],
        path: FloorPath | None = None,
        edit: Edit | None = None,
        goals: Sequence[Goal] = (),
    ) -> None:
        if path is not None and edit is not None:
            raise InputError("path: expected a path or a motion to edit, got both, and each says where the root is")
        for goal in goals:
            goal.frame(min(lengths), model.skeleton.fps)
        self._model, self._lengths = model, lengths
        self._path, self._edit, self._goals = path, edit, goals
        self._tracks: list[RootTrack] = []

    def __call__(self, x_start: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        """Normalised features that fulfil the conditions: other steps of the root, and positions of the limbs."""
        features = self._model.denormalize("3d", x_start)
        self._tracks = [self._track(row[:count]) for row, count in zip(features, self._lengths, strict=True)]
        rows = []
        for row, count, track in zip(features, self._lengths, self._tracks, strict=True):
            led = with_root_track(row[:count], track, self._model.skeleton)
            led = stretch(led, track, self._goals, self._model.skeleton)
            rows.append(torch.cat([led, row[count:]]))
        return self._model.normalize("3d", torch.stack(rows))

    def finish(self, motions: Sequence[Float[ndarray, "t j 3"]]) -> list[Float[ndarray, "t j 3"]]:
        """The joints (metres) of the last prediction's motions in their places on the floor, with the goals reached."""
        starts = [(float(track.heading[0]), complex(track.place[0])) for track in self._tracks]
        placed = [place_joints(joints, *start) for joints, start in zip(motions, starts, strict=True)]
        return [reach(joints, self._goals, self._model.skeleton) for joints in placed]

    def _track(self, features: Float[Tensor, "t d"]) -> RootTrack:
        skeleton = self._model.skeleton
        track = root_track(features, skeleton)
        held = np.zeros(len(features), dtype=bool)
        if self._path is not None:
            track = follow(track, self._path, skeleton.fps)
            held[:] = True
        elif self._edit is not None:
            held, known = self._edit.places(len(features))
            track = hold(track, known, held)
        return approach(track, features, self._goals, held, skeleton) if self._goals else track


def plant_sampled_feet(motion: Motion3D, edit: Edit | None = None, goals: Sequence[Goal] = ()) -> Motion3D:
    """A sampled motion with planted feet (see `plant_feet`), except where an edit keeps a foot or a goal is reached."""
    fixed = np.zeros(len(motion.joints), dtype=bool)
    if edit is not None:
        kept = edit.keeps_feet[: len(fixed)]
        fixed[: len(kept)] = kept
    for goal in goals:
        fixed[goal.frame(len(fixed), motion.fps)] = True
    return plant_feet(motion, fixed)
