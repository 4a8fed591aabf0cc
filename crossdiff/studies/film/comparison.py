"""A video's labels against its measured motion, beside the detector's own joints on the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.representation.alignment import aligned
from crossdiff.representation.filters import gaussian_in_time
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.film.folder import FilmVideo, Series
from crossdiff.studies.film.labels import FilmLabel
from crossdiff.studies.film.measures import MEASURES, Errors, clip_errors, pa_errors
from crossdiff.studies.film.result import VideoResult
from crossdiff.studies.lift.metrics import Metric

LABEL, DETECTOR, MEAN_OF_BOTH, FLAT = "label", "detector's own 3D", "mean of both", "2D without depth"
MEAN_POSE = "mean pose"
# Millimetres of PA-MPJPE up to which a frame counts as right.
RIGHT = 100.0
COVERAGE = {
    "covered": Metric("Covered", "%", 1, "frames with a label, or with the person found in space"),
    "accepted": Metric("Accepted", "%", 1, "frames with a label that pseudo-label accepts"),
    "pa_mpjpe": Metric("PA-MPJPE of all frames", "mm", 1, "a frame that is not covered counts as the mean pose"),
    "right": Metric("Right", "%", 1, f"frames that are covered, with a PA-MPJPE of at most {RIGHT:.0f} mm"),
}
# Joints of the truth as the detector places them, by track; under None those of the measured person, whose track is
# not known.
JointsByTrack = Mapping[str | None, Series]
_LEAST = 3  # frames of a label that are compared; second differences need three
_TINY = 1e-6  # seconds


@dataclass(frozen=True)
class _Used:
    """The frames of a label that count: inside the truth, and in no better label."""

    label: FilmLabel
    frames: Bool[ndarray, " t"]
    errors: Float[ndarray, " n"]
    """PA-MPJPE of these frames, mm."""

    @property
    def times(self) -> Float[ndarray, " n"]:
        return self.label.times[self.frames]


def compare_video(
    video: FilmVideo,
    labels: Sequence[FilmLabel],
    detected: JointsByTrack | None,
    mean_pose: Float[ndarray, "22 3"],
    sigma: float,
) -> VideoResult:
    """Measures of one video.

    labels: also of other people in the video: of labels that overlap in time the one closest to the truth is taken.
    detected: joints of the truth as the detector places them, smoothed here by a Gaussian of `sigma` frames as labels
    are; frames of labels without them are not compared. None if the detector places nobody in space.
    """
    used, overlapping = _select(video, labels)
    parts = [part for one in used if (part := _errors_by_method(video, one, detected, sigma))]
    coverage = {LABEL: _label_coverage(video, used, mean_pose)}
    if detected is not None:
        coverage[DETECTOR] = _detector_coverage(video, detected, mean_pose, sigma)
    dull = pa_errors(video, _still(video, mean_pose, len(video.truth.time)), video.truth.time)
    coverage[MEAN_POSE] = {"covered": None, "accepted": None, "pa_mpjpe": float(dull.mean()), "right": None}
    return VideoResult(
        name=video.name,
        source=video.source,
        truth=len(video.truth.time),
        compared=sum(len(part[LABEL]["pa_mpjpe"]) for part in parts),
        labels=len(used),
        rejected=sum(not one.label.accepted for one in used),
        overlapping=overlapping,
        values={method: _joined([part[method] for part in parts]) for method in (parts[0] if parts else ())},
        coverage=coverage,
    )


def _select(video: FilmVideo, labels: Sequence[FilmLabel]) -> tuple[list[_Used], int]:
    """The frames to compare of each label, the best label first; and how many labels have none left."""
    candidates = []
    for label in labels:
        inside = video.truth.covers(label.times)
        if inside.sum() >= _LEAST:
            candidates.append(_Used(label, inside, _label_errors(video, label, inside)))
    used: list[_Used] = []
    for one in sorted(candidates, key=lambda c: c.errors.mean()):
        free = one.frames.copy()
        for better in used:
            free &= (one.label.times < better.times[0] - _TINY) | (one.label.times > better.times[-1] + _TINY)
        if free.sum() >= _LEAST:
            used.append(_Used(one.label, free, one.errors[free[one.frames]]))
    return used, len(candidates) - len(used)


def _label_errors(video: FilmVideo, label: FilmLabel, frames: Bool[ndarray, " t"]) -> Float[ndarray, " n"]:
    return pa_errors(video, label.joints[frames][:, video.joints], label.times[frames])


def _errors_by_method(video: FilmVideo, one: _Used, detected: JointsByTrack | None, sigma: float) -> dict[str, Errors]:
    """Errors of every method on the same frames of a label; empty if too few are left."""
    label, frames = one.label, one.frames
    ours = label.joints[:, video.joints]
    methods = {LABEL: ours, FLAT: np.pad(label.flat, ((0, 0), (0, 0), (0, 1)))[:, video.joints]}
    if detected is not None:
        series = detected.get(None, detected.get(label.track))
        frames = frames & (series.near(label.times) if series is not None else False)
        if series is not None and frames.any():
            theirs = _smoothed(series, label.times, sigma)
            turned = aligned(torch.from_numpy(theirs), torch.from_numpy(ours)).numpy()
            both = {DETECTOR: theirs, MEAN_OF_BOTH: (ours + turned) / 2}
            methods = {LABEL: ours, **both, FLAT: methods[FLAT]}
    if frames.sum() < _LEAST:
        return {}
    return {name: clip_errors(video, joints[frames], label.times[frames]) for name, joints in methods.items()}


def _smoothed(series: Series, times: Float[ndarray, " t"], sigma: float) -> Float[ndarray, "t j 3"]:
    """The series at times of 20 frames a second, smoothed by a Gaussian of `sigma` frames."""
    joints = torch.from_numpy(series.at(times))
    if sigma > 0:
        joints = gaussian_in_time(joints.flatten(-2), sigma).unflatten(-1, joints.shape[-2:])
    return joints.numpy()


def _joined(parts: Sequence[Errors]) -> dict[str, float | None]:
    """Means over the frames of all clips."""
    joined = {name: np.concatenate([part[name] for part in parts]) for name in MEASURES}
    return {name: float(values.mean()) if len(values) else None for name, values in joined.items()}


# --- coverage ---


def _still(video: FilmVideo, pose: Float[ndarray, "22 3"], frames: int) -> Float[ndarray, "f j 3"]:
    return np.repeat(pose[None, video.joints], frames, axis=0)


def _label_coverage(
    video: FilmVideo, used: Sequence[_Used], mean_pose: Float[ndarray, "22 3"]
) -> dict[str, float | None]:
    """A label covers the truth frames from half a frame before its first to half a frame after its last one."""
    time = video.truth.time
    covered, accepted, right = (np.zeros(len(time), dtype=bool) for _ in range(3))
    for one in used:
        half = 0.5 / HUMANML3D.fps
        here = (time >= one.times[0] - half) & (time <= one.times[-1] + half)
        covered |= here
        accepted |= here & one.label.accepted
        right |= here & (np.interp(time, one.times, one.errors) <= RIGHT)
    dull = pa_errors(video, _still(video, mean_pose, len(time)), time)
    share = float(covered.mean())
    whole = share * float(np.concatenate([one.errors for one in used]).mean()) if used else 0.0
    whole += (1 - share) * float(dull[~covered].mean()) if share < 1 else 0.0
    return {
        "covered": 100 * share,
        "accepted": 100 * float(accepted.mean()),
        "pa_mpjpe": whole,
        "right": 100 * float(right.mean()),
    }


def _detector_coverage(
    video: FilmVideo, detected: JointsByTrack, mean_pose: Float[ndarray, "22 3"], sigma: float
) -> dict[str, float | None]:
    """The same of the detector's own joints, at 20 frames a second over the whole truth; the best track first."""
    step = 1 / HUMANML3D.fps
    grid = np.arange(video.truth.time[0], video.truth.time[-1] + _TINY, step)
    errors = pa_errors(video, _still(video, mean_pose, len(grid)), grid)
    seen = np.zeros(len(grid), dtype=bool)
    for near, own in sorted(_track_errors(video, detected, grid, sigma), key=lambda e: e[1][e[0]].mean()):
        new = near & ~seen
        errors[new], seen = own[new], seen | near
    return {
        "covered": 100 * float(seen.mean()),
        "accepted": None,
        "pa_mpjpe": float(errors.mean()),
        "right": 100 * float((seen & (errors <= RIGHT)).mean()),
    }


def _track_errors(
    video: FilmVideo, detected: JointsByTrack, grid: Float[ndarray, " t"], sigma: float
) -> Iterator[tuple[Bool[ndarray, " t"], Float[ndarray, " t"]]]:
    """For each track that is seen at all: at which times, and its PA-MPJPE."""
    for series in detected.values():
        near = series.near(grid)
        if near.any():
            yield near, pa_errors(video, _smoothed(series, grid, sigma), grid)
