"""Captions of what the joints of a clip show: kicks, lifted knees, sitting down, steps on the spot, with side and time.

Captions of motion capture name actions as a whole and seldom say which leg moves, or when in the clip somebody sits
down. The rules here read that from the joints, so that a model learns what such words mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.data.captions import Caption
from crossdiff.skeleton import HUMANML3D, Skeleton

_TEMPLATES = {
    "knee": ("a person lifts the {side} knee", "someone raises the {side} knee", "a person lifts the {side} leg"),
    "kick": (
        "a person kicks with the {side} leg", "someone kicks with the {side} foot",
        "a person does a kick with the {side} leg",
    ),
    "sit": ("a person sits down", "someone sits down on a chair", "a standing person takes a seat"),
    "stand": ("a person stands up", "someone gets up from a seat", "a seated person stands up"),
    "squat": ("a person squats", "someone goes down into a squat and up again", "a person bends the knees deeply"),
    "walk": ("a person walks in place", "someone steps on the spot", "a person walks on the spot"),
    "run": ("a person runs in place", "someone jogs on the spot", "a person runs on the spot"),
}  # fmt: skip

# Heights are relative to the length of a leg, those of a knee above its hip to that of a thigh.
_STANDS = 0.88
_SEAT = (0.3, 0.68)
_LOW = 0.68
_THIGH_UP, _THIGH_DOWN = -0.3, -0.85
_STRAIGHT_KNEE = -0.6  # cosine at the knee: above about 127 degrees
_KICK_HEIGHT, _KICK_REACH, _KICK_SPEED = 0.35, 0.45, 2.5  # legs, legs, metres per second
_UPRIGHT = 0.75  # cosine of the trunk's lean
_STEP_HEIGHT = 0.05  # of an ankle above the other, in legs
_SPOT = 0.4  # metres around the mean place
_FEW_STEPS = 5
_TRAVELS = 1.8  # metres per second of the root, above which lifted legs are steps
_RUNNING = 2.4  # steps per second
# Seconds before and after an event that its caption covers, and in all: shorter spans of captions are ignored.
_AROUND, _SPAN = 1.2, 2.2


@dataclass(frozen=True)
class Event:
    """Something that the joints show from frame `start` to before `stop`. side: left, right or empty."""

    kind: str
    start: int
    stop: int
    side: str = ""


def event_captions(joints: Float[ndarray, "f j 3"], skeleton: Skeleton, seed: int) -> list[Caption]:
    """One caption of each event in a clip, with its span; joints in metres, Y up, at the skeleton's frame rate.

    seed: which of several sentences is taken. Skeletons other than HumanML3D's have none.
    """
    if skeleton != HUMANML3D or len(joints) < 2:
        return []
    rng = np.random.default_rng(seed)
    captions = []
    for event in find_events(joints, skeleton):
        text = str(rng.choice(_TEMPLATES[event.kind])).format(side=event.side)
        tokens = " ".join(f"{word}/OTHER" for word in text.split())
        captions.append(
            Caption(text, tokens, round(event.start / skeleton.fps, 2), round(event.stop / skeleton.fps, 2))
        )
    return captions


def find_events(joints: Float[ndarray, "f 22 3"], skeleton: Skeleton) -> list[Event]:
    """All events, by their start; at most one of a kind and side in any two seconds."""
    pose = _Pose(joints, skeleton)
    found = [*_legs(pose), *_seats(pose), *_squats(pose), *_on_the_spot(pose)]
    return sorted(found, key=lambda event: (event.start, event.kind, event.side))


class _Pose:
    """Heights, angles and speeds of a clip, each (frames) or (frames, 2) for left and right."""

    def __init__(self, joints: ndarray, skeleton: Skeleton) -> None:
        self.fps, self.frames = skeleton.fps, len(joints)
        part = {name: joints[:, skeleton.index(name)] for name in ("pelvis", "neck")}
        for name in ("hip", "knee", "ankle"):
            part[name] = np.stack([joints[:, skeleton.index(f"{side}_{name}")] for side in "lr"], axis=1)
        self.pelvis, self.neck, self.hip, self.knee, self.ankle = (
            part[name] for name in ("pelvis", "neck", "hip", "knee", "ankle")
        )
        self.thigh = max(float(np.linalg.norm(self.knee - self.hip, axis=-1).mean()), 1e-6)
        self.leg = self.thigh + float(np.linalg.norm(self.ankle - self.knee, axis=-1).mean())

    @cached_property
    def raised(self) -> ndarray:
        """Height of each knee above its hip: -1 where a thigh hangs down, 0 where it is level."""
        return (self.knee - self.hip)[..., 1] / self.thigh

    @cached_property
    def bend(self) -> ndarray:
        """Cosine at each knee: -1 where the leg is straight."""
        up, down = self.hip - self.knee, self.ankle - self.knee
        return (up * down).sum(-1) / np.maximum(np.linalg.norm(up, axis=-1) * np.linalg.norm(down, axis=-1), 1e-6)

    @cached_property
    def height(self) -> ndarray:
        """Height of the pelvis above the lower ankle."""
        return (self.pelvis[:, 1] - self.ankle[..., 1].min(axis=1)) / self.leg

    @cached_property
    def upright(self) -> ndarray:
        """Cosine of the trunk's lean."""
        trunk = self.neck - self.pelvis
        return trunk[:, 1] / np.maximum(np.linalg.norm(trunk, axis=-1), 1e-6)

    @cached_property
    def travels(self) -> ndarray:
        """Whether the root moves over the floor, as in running."""
        steps = np.linalg.norm(np.gradient(self.pelvis[:, [0, 2]], axis=0), axis=-1) * self.fps
        width = max(1, min(round(self.fps / 2), self.frames))
        return np.convolve(steps, np.ones(width) / width, mode="same") > _TRAVELS

    @cached_property
    def forward(self) -> ndarray:
        """Horizontal unit vectors to where the hips face, (frames, 3)."""
        left = self.hip[:, 0] - self.hip[:, 1]
        ahead = np.cross(left, [0.0, 1.0, 0.0])
        return ahead / np.maximum(np.linalg.norm(ahead, axis=-1, keepdims=True), 1e-6)

    @cached_property
    def lift(self) -> ndarray:
        """Height of the left ankle above the right one."""
        return (self.ankle[:, 0, 1] - self.ankle[:, 1, 1]) / self.leg

    def around(self, first: int, last: int) -> tuple[int, int]:
        """First frame and frame after the last of an event's caption, with some before and after it."""
        margin = round(_AROUND * self.fps)
        start, stop = max(0, first - margin), min(self.frames, last + 1 + margin)
        missing = max(0, round(_SPAN * self.fps) - (stop - start))
        start = max(0, start - missing) if stop == self.frames else start
        return start, min(self.frames, stop + (missing if start == 0 else 0))


def _spans(holds: ndarray) -> Iterator[tuple[int, int]]:
    """First and last frame of each stretch in which something holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], holds, [False]]).astype(int)))
    yield from ((int(start), int(stop) - 1) for start, stop in edges.reshape(-1, 2))


def _legs(pose: _Pose) -> Iterator[Event]:
    """Knees that are lifted, and kicks, while the other leg stands."""
    speed = np.linalg.norm(np.gradient(pose.ankle - pose.pelvis[:, None], axis=0), axis=-1) * pose.fps
    near = round(0.4 * pose.fps)
    for side, name in enumerate(("left", "right")):
        other = 1 - side
        stands = (pose.raised[:, other] < _THIGH_DOWN) & (pose.upright > _UPRIGHT) & ~pose.travels
        foot = pose.ankle[:, side] - pose.pelvis
        reach = np.linalg.norm(foot[:, [0, 2]], axis=-1) / pose.leg
        above = (pose.ankle[:, side] - pose.ankle[:, other])[:, 1] / pose.leg
        kicks = (above > _KICK_HEIGHT) & (reach > _KICK_REACH) & (pose.bend[:, side] < _STRAIGHT_KNEE)
        kicks &= (pose.raised[:, other] < _THIGH_DOWN + 0.15) & ((foot * pose.forward).sum(-1) > 0)
        kicks &= (pose.upright > 0.5) & ~pose.travels
        knees = stands & (pose.raised[:, side] > _THIGH_UP)
        last = {"kick": -(10**9), "knee": -(10**9)}
        kicked = np.zeros(pose.frames, dtype=bool)
        for first, final in _spans(kicks):
            begin, end = max(0, first - near), final + near + 1
            kicked[begin:end] = True
            if speed[begin:end, side].max() > _KICK_SPEED and first - last["kick"] > 2 * pose.fps:
                last["kick"] = final
                yield Event("kick", *pose.around(first, final), name)
        for first, final in _spans(knees & ~kicked):
            begin = max(0, first - round(pose.fps))
            hung = pose.raised[begin : first + 1, side].min() < _THIGH_DOWN
            if hung and final > first and first - last["knee"] > 2 * pose.fps:
                last["knee"] = final
                yield Event("knee", *pose.around(first, final), name)


def _seats(pose: _Pose) -> Iterator[Event]:
    """Sitting down and standing up: from standing to thighs that are level for a second, feet in front, and back."""
    ahead = np.linalg.norm((pose.ankle.mean(axis=1) - pose.pelvis)[:, [0, 2]], axis=-1) / pose.leg
    level = (np.abs(pose.raised) < 0.5).all(axis=1)
    sits = level & (pose.height > _SEAT[0]) & (pose.height < _SEAT[1]) & (ahead > 0.25) & (pose.upright > _UPRIGHT)
    stands = pose.height > _STANDS
    most = round(2.5 * pose.fps)
    for first, last in _spans(sits):
        if last - first < pose.fps:
            continue
        before = np.flatnonzero(stands[max(0, first - most) : first])
        if len(before):
            stood = max(0, first - most) + int(before[-1])
            yield Event("sit", max(0, stood - round(pose.fps)), min(pose.frames, first + round(1.5 * pose.fps)))
        after = np.flatnonzero(stands[last + 1 : last + 1 + most])
        if len(after):
            stood = last + 1 + int(after[0])
            yield Event("stand", max(0, last - round(pose.fps)), min(pose.frames, stood + round(pose.fps)))


def _squats(pose: _Pose) -> Iterator[Event]:
    """Down and up again within four seconds, with the feet in their places."""
    low = (pose.height < _LOW) & (pose.upright > 0.5) & (pose.raised > -0.75).all(axis=1)
    stands = pose.height > _STANDS
    most, ended = round(2 * pose.fps), -(10**9)
    for first, last in _spans(low):
        before = np.flatnonzero(stands[max(0, first - most) : first])
        after = np.flatnonzero(stands[last + 1 : last + 1 + most])
        if last - first > 2 * pose.fps or not len(before) or not len(after) or first < ended:
            continue
        start = max(0, max(0, first - most) + int(before[-1]) - round(0.5 * pose.fps))
        stop = min(pose.frames, last + 1 + int(after[0]) + round(0.5 * pose.fps))
        if np.ptp(pose.ankle[start:stop, :, [0, 2]], axis=0).max() < 0.3:
            ended = stop
            yield Event("squat", start, stop)


def _on_the_spot(pose: _Pose) -> Iterator[Event]:
    """Steps of both feet in turn while the root stays where it is."""
    window = round(3 * pose.fps)
    for start in range(0, max(pose.frames - window, 0) + 1, window):
        stop = min(start + window, pose.frames)
        if stop - start < 2 * pose.fps:
            continue
        place = pose.pelvis[start:stop, [0, 2]]
        lift = pose.lift[start:stop]
        feet = np.sign(lift[np.abs(lift) > _STEP_HEIGHT])
        steps = 1 + int((np.diff(feet) != 0).sum()) if len(feet) else 0
        stays = np.linalg.norm(place - place.mean(axis=0), axis=-1).max() < _SPOT
        if stays and steps >= _FEW_STEPS and pose.height[start:stop].min() > _LOW:
            yield Event("run" if steps / (stop - start) * pose.fps > _RUNNING else "walk", start, stop)
