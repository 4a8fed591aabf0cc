"""A run's pseudo labels of a video, and the people whom its detector places in space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from crossdiff.files import load_npz
from crossdiff.pipeline.ledger import Row
from crossdiff.pipeline.run import Run
from crossdiff.representation.features3d import features_to_joints
from crossdiff.studies.film.folder import Landmarks
from crossdiff.types import Motion2D


@dataclass(frozen=True)
class FilmLabel:
    """A pseudo label of T frames, and the 2D motion that it was lifted from."""

    id: str
    track: str
    """Id of the person's track."""
    accepted: bool
    """Whether pseudo-label kept it."""
    times: Float[ndarray, " t"]
    """Seconds of the video, 20 frames a second."""
    joints: Float[ndarray, "t 22 3"]
    """Metres, y up."""
    flat: Float[ndarray, "t 22 2"]
    """Metres of the skeleton's body, y up."""


def tracks_of(run: Run, video: Path) -> list[str]:
    """Ids of the tracks in a video. video: an absolute path."""
    ids = [name for name, record in run.ledger.videos().items() if record.path.resolve() == video]
    return [row.id for name in ids for row in run.ledger.rows("track", parent=name)]


def read_labels(run: Run, track: str) -> Iterator[FilmLabel]:
    """The labels of a track, accepted and rejected ones."""
    for row in run.ledger.rows("pseudo", parent=track):
        if row.state in ("done", "filtered"):
            yield _read(run, track, row)


def _read(run: Run, track: str, row: Row) -> FilmLabel:
    features = load_npz(run.find_label(row.id), ("features",))["features"].astype(np.float32)
    motion = Motion2D.load(run.motion2d / f"{row.id}.npz")
    joints = features_to_joints(torch.from_numpy(features)).double().numpy()
    times = motion.start + np.arange(len(joints)) / motion.fps
    return FilmLabel(row.id, track, row.state == "done", times, joints, motion.joints[: len(joints)].astype(np.float64))


def read_landmarks(run: Run, track: str) -> Landmarks | None:
    """Landmarks of a track in space; None if the detector gives none."""
    keypoints = run.load_keypoints(track)
    if not keypoints.world.shape[1]:
        return None
    return Landmarks.of(keypoints.time, keypoints.world, keypoints.keypoint_set)
