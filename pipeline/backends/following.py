"""Follows all people of a video with a single-person model, and searches the picture for others."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import Field

from crossdiff.config import Config
from crossdiff.pipeline.tracks.boxes import box_iou

# (left, top, right, bottom) in pixels of the frame.
View = tuple[int, int, int, int]

# Distances are in sizes of the region, which is 1.25 times the body's length.
# Up to this mean distance of the keypoints a second look agrees, by the size of its region in sizes of the first.
_SETTLED = {0.9: 0.05, 1.3: 0.07}
_NARROWER, _WIDER = _SETTLED
_DETECTED = 0.2  # between the hips as detected and as the model then places them
_SAME_REGION = 0.25  # between the centres of two regions that show the same person
_SAME_POSE = 0.15  # mean over keypoints, between two poses of the same person
_SAME_BOX = 0.6  # or the overlap of their boxes (intersection over union)
_PART = 1.3  # ratio of the sizes of two regions, beyond which one may be of a part of the other's body
_HIDDEN = 0.5  # share of the smaller box that another covers, beyond which nobody new is believed
_DEFORMED = 0.08  # mean change of a pose from frame to frame, beyond a shift, after which it is checked
_PAUSE, _LONGEST_PAUSE, _MOST_REFUSED = 8, 128, 32
_RETRY = 1.2  # region of a second look at a detection, in sizes of the first
_TRIAL = 2  # further frames in which somebody new is checked
_DOUBTS = 3  # checks in a row in which the model disagreed with itself: there is nobody
_UNCONFIRMED = 60  # frames without a detection after which a pose is checked now and then
_VISIBLE = 0.5  # least mean visibility of a person who is new
_FINE = 0.6  # side of the smallest views, in shorter sides of the frame
_OVERLAP = 0.25  # of neighbouring views, in their sides
# BlazePose's filter of the region: frames per second that it is made for, and cut-offs in hertz.
_RATE, _MIN_CUTOFF, _BETA, _SPEED_CUTOFF = 30.0, 0.01, 10.0, 1.0
_SOON = 16  # frames after a loss in which it is searched often
_HELD_BYTES = 100_000_000  # of frames that are held for looking back
_AROUND = 1.6  # side of the view in which somebody lost is looked for, in sizes of the region


class FollowConfig(Config):
    """How many people are followed, and how often others are searched for."""

    max_people: int = Field(8, ge=1)
    """Most people followed at a time; the first ones found are kept."""
    min_height: float = Field(0.12, ge=0, le=1)
    """Height of the smallest person to follow, as a fraction of the frame's shorter side."""
    search_every: int = Field(8, ge=1)
    """Number of frames between searches for further people; each search covers one part of the picture."""
    remember: int = Field(90, ge=0)
    """Number of frames for which a lost person is searched for in the place of the loss."""
    look_back: int = Field(48, ge=0)
    """Number of earlier frames through which a new person is followed backwards; fewer if these exceed 100 MB."""


@dataclass(frozen=True, eq=False)
class Region:
    """A square of the picture that holds a person.

    points: shape (2, 2), pixels: between the hips, and where the line from there through the shoulders meets the
    circle around the body.
    """

    points: Float[ndarray, "2 2"]

    @property
    def centre(self) -> Float[ndarray, "2"]:
        return self.points[0]

    @property
    def size(self) -> float:
        """Side of the square in pixels: the circle's diameter and a quarter, as in BlazePose's own graph."""
        return 2.5 * math.dist(*self.points)

    @property
    def angle(self) -> float:
        """Radians by which the person is turned clockwise, in [-pi, pi)."""
        across, down = self.points[1] - self.points[0]
        return (math.pi * 1.5 - math.atan2(-down, across)) % (2 * math.pi) - math.pi

    def scaled(self, factor: float) -> Region:
        return Region(self.centre + factor * (self.points - self.centre))

    def shows_same(self, other: Region) -> bool:
        smaller, larger = sorted((self.size, other.size))
        return larger < 2 * smaller and math.dist(self.centre, other.centre) < _SAME_REGION * smaller


@dataclass(frozen=True, eq=False)
class Pose:
    """The model's output for a region.

    xy: pixels, shape (K, 2); visibility: shape (K,), in [0, 1], 0 outside the frame; world: metres, shape (K, 3);
    region: where the person is.
    """

    xy: Float[ndarray, "k 2"]
    visibility: Float[ndarray, " k"]
    world: Float[ndarray, "k 3"]
    region: Region

    def apart(self, other: Pose) -> float:
        """Mean distance of the keypoints, in sizes of the smaller region."""
        return self._relative(other, self.xy - other.xy)

    def deformed(self, other: Pose) -> float:
        """The same after the shift that most keypoints agree on."""
        moved = self.xy - other.xy
        return self._relative(other, moved - np.median(moved, axis=0))

    def shows_same(self, other: Pose) -> bool:
        """Whether both are of one person, one of them perhaps of a part of the body."""
        if self.apart(other) < _SAME_POSE or box_iou(self.box[None], other.box[None])[0, 0] > _SAME_BOX:
            return True
        sizes = sorted((self.region.size, other.region.size))
        return sizes[1] > _PART * sizes[0] and self.region.shows_same(other.region) and self.hides(other)

    def hides(self, other: Pose) -> bool:
        """Whether one covers so much of the other that it may be of the same person."""
        shared = np.minimum(self.box[2:], other.box[2:]) - np.maximum(self.box[:2], other.box[:2])
        smaller = min(float(np.prod(box[2:] - box[:2])) for box in (self.box, other.box))
        return bool(np.prod(np.maximum(shared, 0)) > _HIDDEN * smaller)

    @property
    def box(self) -> Float[ndarray, "4"]:
        """(left, top, right, bottom) of the keypoints in pixels."""
        return np.concatenate([self.xy.min(axis=0), self.xy.max(axis=0)])

    def _relative(self, other: Pose, difference: Float[ndarray, "k 2"]) -> float:
        return float(np.linalg.norm(difference, axis=1).mean()) / min(self.region.size, other.region.size)


class PoseModel(Protocol):
    """A detector of people, and a model that finds the keypoints of one."""

    def detect(self, frame: ndarray, view: View) -> list[Region]:
        """The people in a part of the frame, highest score first."""

    def look(self, frame: ndarray, region: Region) -> Pose | None:
        """The person in a region of the frame, if there is one."""


@dataclass(frozen=True, eq=False)
class _Steady:
    """A smoothed region: the One-Euro filter with the settings of BlazePose's own graph."""

    raw: Region
    region: Region
    speed: Float[ndarray, "2 2"]

    @classmethod
    def begin(cls, region: Region) -> _Steady:
        return cls(region, region, np.zeros((2, 2)))

    def then(self, raw: Region) -> _Steady:
        """After one more frame."""
        diameter = max(2 * math.dist(*raw.points), 1.0)
        change = (raw.points - self.raw.points) * _RATE / diameter
        speed = self.speed + _weight(_SPEED_CUTOFF) * (change - self.speed)
        weight = _weight(_MIN_CUTOFF + _BETA * np.abs(speed))
        return _Steady(raw, Region(self.region.points + weight * (raw.points - self.region.points)), speed)


def _weight(cutoff: Any) -> Any:
    """Of a new value in a low pass of the first order."""
    turn = 2 * math.pi * cutoff / _RATE
    return turn / (turn + 1)


@dataclass(frozen=True, eq=False)
class _Followed:
    """A person who is followed.

    pose: the latest; steady: where to look in the next frame; confirmed: the frame in which the detector last found
    them; before: the pose one frame earlier, if there is one; age: frames since they were found; doubts: failed checks
    since the last that succeeded.
    """

    pose: Pose
    steady: _Steady
    confirmed: int
    before: Pose | None = None
    age: int = 0
    doubts: int = 0

    @property
    def surprise(self) -> float:
        """Distance that the person moved since the previous frame; infinite for a new person."""
        return math.inf if self.before is None else self.pose.apart(self.before)


@dataclass(frozen=True, eq=False)
class _Lost:
    """A person who was lost. since: the frame of the loss."""

    region: Region
    since: int

    def is_due(self, number: int) -> bool:
        """Whether to search for them in a frame: often at first, then seldom."""
        return number % (2 if number - self.since < _SOON else 6) == 1


@dataclass(frozen=True, eq=False)
class _Refused:
    """A place where the detector saw somebody and the model nobody. pause: frames after `since` in which it is skipped;
    longer each time, for what is a chair stays one."""

    region: Region
    since: int
    pause: int


class Follower:
    """People of one video, frame after frame.

    Each person is looked at where they were in the frame before, as the model's authors do it for one. Others are
    searched for in views of the picture that take turns: the whole, squares of its shorter side, smaller squares. The
    first frame is searched in all views, and one view of every frame while nobody is followed. Somebody new must
    pass a check in some frames: the model, shown a wider region around what it found, has to find the same again.
    Then they are followed backwards too, through the frames in which no search had found them yet.
    """

    def __init__(self, model: PoseModel, cfg: FollowConfig) -> None:
        self._model, self._cfg = model, cfg
        self._followed: list[_Followed] = []
        self._lost: list[_Lost] = []
        self._refused: list[_Refused] = []
        self._turns: Iterator[View] | None = None
        self._number = -1

    def people(self, frames: Iterable[ndarray]) -> Iterator[list[Pose]]:
        """The people of each frame, given out `look_back` frames later."""
        held: deque[tuple[ndarray, list[Pose]]] = deque()
        with ThreadPoolExecutor(1) as searcher:
            for frame in frames:
                self._step(frame, searcher)
                held.append((frame, [person.pose for person in self._followed if person.age > _TRIAL]))
                self._show(held, _TRIAL)
                while len(held) > min(self._cfg.look_back, _HELD_BYTES // frame.nbytes):
                    yield held.popleft()[1]
        for age in range(1, _TRIAL):  # the video ended before their trial did
            self._show(held, age)
        yield from (people for _, people in held)

    def _step(self, frame: ndarray, searcher: Executor) -> None:
        """Follow everyone into the next frame, while it is searched."""
        self._number += 1
        found = searcher.map(lambda view: self._model.detect(frame, view), self._due(frame))
        self._follow(frame)
        lately = [one.region for one in self._lost if 0 < self._number - one.since < _SOON and self._number % 2]
        for region in itertools.chain(lately, *found):
            self._take(frame, region)

    def _show(self, held: Sequence[tuple[ndarray, list[Pose]]], age: int) -> None:
        """Add those who were found so many frames ago to the latest frame and to the frames before."""
        for person in self._followed:
            if person.age == age:
                held[-1][1].append(person.pose)
                self._follow_back(person, list(held)[:-1])

    def _follow_back(self, person: _Followed, held: Sequence[tuple[ndarray, list[Pose]]]) -> None:
        """Add somebody new to the frames before, as far as they can be followed and are not among the people there."""
        one: _Followed | None = person
        for frame, people in reversed(held):
            one = self._go_on(frame, one) if one is not None else None
            if one is None or any(one.pose.shows_same(other) for other in people):
                return
            people.append(one.pose)

    def _follow(self, frame: ndarray) -> None:
        """Look at everyone where they were in the frame before; of those who now show one person, one stays."""
        going = [one for person in self._followed if (one := self._go_on(frame, person)) is not None]
        kept: list[_Followed] = []
        for person in sorted(going, key=lambda one: one.surprise):
            if not any(person.pose.shows_same(other.pose) for other in kept):
                kept.append(person)
        stayed = [person.before for person in kept]
        self._lost += [
            _Lost(one.steady.region, self._number)
            for one in self._followed
            if one.pose not in stayed and one.age >= _TRIAL
        ]
        self._lost = [one for one in self._lost if self._number - one.since < self._cfg.remember]
        self._followed = [person for person in going if person in kept]

    def _go_on(self, frame: ndarray, person: _Followed) -> _Followed | None:
        """The person in the next frame; None once lost."""
        pose = self._model.look(frame, person.steady.region)
        if pose is None or not self._large_enough(frame, pose.region):
            return None
        doubts = person.doubts
        unconfirmed = self._number - person.confirmed > _UNCONFIRMED
        due = unconfirmed and self._number % (2 * self._cfg.search_every) == 0
        on_trial = person.age < _TRIAL
        if due or on_trial or pose.deformed(person.pose) > _DEFORMED:
            doubts = 0 if self._agrees(frame, pose, _WIDER if on_trial else _NARROWER) else doubts + 1
        if doubts >= (_TRIAL if on_trial else _DOUBTS):
            return None
        return _Followed(pose, person.steady.then(pose.region), person.confirmed, person.pose, person.age + 1, doubts)

    def _agrees(self, frame: ndarray, pose: Pose, scale: float) -> bool:
        """Whether the model finds the same in a somewhat larger or smaller region; if not, there is nobody."""
        again = self._model.look(frame, pose.region.scaled(scale))
        return again is not None and again.apart(pose) < _SETTLED[scale]

    def _due(self, frame: ndarray) -> list[View]:
        """The views to search in this frame."""
        height, width = frame.shape[:2]
        if self._turns is None:
            self._turns = turns(width, height)
            return whole_and_parts(width, height)
        lost = [one for one in self._lost if one.is_due(self._number)]
        views = [_around(lost[self._number // 2 % len(lost)].region, width, height)] if lost else []
        due = self._number % self._cfg.search_every == 0
        return [*views, next(self._turns)] if due or not self._followed else views

    def _take(self, frame: ndarray, region: Region) -> None:
        """Follow whoever is in a region, if somebody is and is not followed yet."""
        known = [number for number, one in enumerate(self._followed) if region.shows_same(one.pose.region)]
        for number in known:
            self._followed[number] = replace(self._followed[number], confirmed=self._number)
        if known or len(self._followed) >= self._cfg.max_people or not self._large_enough(frame, region):
            return
        refused = next((one for one in self._refused if one.region.shows_same(region)), None)
        if refused is not None and self._number < refused.since + refused.pause:
            return
        pose = self._settle(frame, region) or self._settle(frame, region.scaled(_RETRY))
        self._refused = [one for one in self._refused if one is not refused]
        if pose is None:
            pause = _PAUSE if refused is None else min(2 * refused.pause, _LONGEST_PAUSE)
            self._refused = [*self._refused, _Refused(region, self._number, pause)][-_MOST_REFUSED:]
        if pose is not None and not any(pose.shows_same(one.pose) or pose.hides(one.pose) for one in self._followed):
            self._followed.append(_Followed(pose, _Steady.begin(pose.region), self._number))
            self._lost = [one for one in self._lost if not pose.region.shows_same(one.region)]

    def _settle(self, frame: ndarray, region: Region) -> Pose | None:
        """The person in a region, if there really is one."""
        pose = self._model.look(frame, region)
        if pose is None or math.dist(pose.region.centre, region.centre) > _DETECTED * region.size:
            return None
        sure = pose.visibility.mean() > _VISIBLE and all(self._agrees(frame, pose, s) for s in (_WIDER, _NARROWER))
        return pose if sure else None

    def _large_enough(self, frame: ndarray, region: Region) -> bool:
        return region.size >= 1.25 * self._cfg.min_height * min(frame.shape[:2])


def whole_and_parts(width: int, height: int) -> list[View]:
    """The whole picture, squares of its shorter side, and smaller squares."""
    side = min(width, height)
    parts = [*squares(width, height, side), *squares(width, height, round(_FINE * side))]
    return list(dict.fromkeys([(0, 0, width, height), *parts]))


def turns(width: int, height: int) -> Iterator[View]:
    """Views without end: two larger ones and a smaller one in turn."""
    side = min(width, height)
    large = list(dict.fromkeys([(0, 0, width, height), *squares(width, height, side)]))
    small = squares(width, height, round(_FINE * side))
    for number in itertools.count():
        yield large[2 * number % len(large)]
        yield large[(2 * number + 1) % len(large)]
        yield small[number % len(small)]


def squares(width: int, height: int, side: int) -> list[View]:
    """Squares that cover a picture, neighbours overlapping by a quarter or more."""
    rows, columns = (_starts(length, side) for length in (height, width))
    return [(x, y, min(x + side, width), min(y + side, height)) for y in rows for x in columns]


def _starts(length: int, side: int) -> list[int]:
    number = 1 if side >= length else 1 + int(np.ceil((length - side) / ((1 - _OVERLAP) * side)))
    return [round(start) for start in np.linspace(0, max(0, length - side), number)]


def _around(region: Region, width: int, height: int) -> View:
    half = _AROUND * region.size / 2
    low = np.clip(region.centre - half, 0, np.array([width, height]) - 16).astype(int)
    high = np.clip(region.centre + half, low + 16, [width, height]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
