"""Follows everyone in a video by a model that sees one person at a time, and searches the picture for others."""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import Field

from crossdiff.config import Config
from crossdiff.pipeline.backends.regions import Pose, Region, SteadyRegion, View
from crossdiff.pipeline.backends.views import ChangeFinder, ViewSchedule
from crossdiff.threads import num_threads

# Views in which a person has the size that the detector is made for: their sides, in sizes of the region.
# The last two are searched only if the detector saw something in the first two, or if somebody is missing.
_FITTED, _FITTED_RANGE = (1.6, 1.0, 2.0, 1.3), (1.0, 2.6)
_CERTAIN = 0.75  # score in one such view that needs no other
_AROUND = 1.6  # side of the view in which somebody lost is looked for, in sizes of the region
_BESIDE = 0.6  # shift of the views beside somebody new, in sizes of the region: people walk in groups
# Up to this mean distance of the keypoints (in sizes of the region) a second look agrees, by the scale of its region.
_AGREEING = {0.9: 0.05, 1.3: 0.07}
_NARROWER = 0.9
_DETECTED = 0.2  # largest distance between the hips as detected and as the model then places them
_VISIBLE = 0.6  # least mean visibility of a person who is new
_KNOWN = 0.5  # least score of somebody lost who is detected where they were; MediaPipe's own default
_TRIAL = 2  # further frames in which somebody new is checked
_DEFORMED, _CHECK_EVERY = 0.08, 3  # change of a pose from frame to frame that is checked, in every third frame
_DOUBTS = 3  # checks in a row in which the model disagreed with itself, after which the detector must see somebody
_UNCONFIRMED = 60  # frames without a detection after which a pose is checked now and then
_SHORTEST = 9  # frames; what is followed for fewer is nobody, or too short for any use
_MISSED = 3  # frames in a row, blurred perhaps, in which somebody who is followed backwards may not be seen
_SOON = 16  # frames after a loss in which it is searched often
_PAUSE, _LONGEST_PAUSE, _MOST_REFUSED = 32, 256, 32  # frames for which a refused place is skipped; places remembered
_HELD_BYTES = 100_000_000  # of frames that are held for following somebody backwards


class FollowConfig(Config):
    """How many people are followed, and how often others are searched for."""

    max_people: int = Field(8, ge=1)
    """People followed at a time; the first ones found."""
    min_height: float = Field(0.12, ge=0, le=1)
    """Length of the smallest person who is followed, as a share of the frame's shorter side."""
    search_every: int = Field(8, ge=1)
    """Frames from one search for other people to the next; each looks at one part of the picture."""
    sure: float = Field(0.6, ge=0, le=1)
    """Lowest score of somebody new in a view in which they have the size that the detector is made for."""
    remember: int = Field(90, ge=0)
    """Frames for which somebody who was lost is searched for where they were."""
    look_back: int = Field(48, ge=0)
    """Frames through which somebody new is followed backwards; fewer where frames are so large that they would fill
    100 MB."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """Somebody whom the detector sees. score: in [0, 1]."""

    region: Region
    score: float


class PoseModel(Protocol):
    """A detector of people, and a model that finds the keypoints of one. Both are called from several threads."""

    def detect(self, frame: ndarray, view: View) -> list[Sighting]:
        """The people in a part of the frame, surest first."""

    def look(self, frame: ndarray, region: Region) -> Pose | None:
        """The person in a region of the frame, if there is one."""


@dataclass(frozen=True, eq=False)
class _Followed:
    """Somebody who is followed.

    key: of their poses in the held frames; pose: the latest; steady: where to look in the next frame; confirmed: the
    frame in which the detector last found them; first: the pose with which they were found; before: the pose one frame
    earlier, if there is one; age: frames since they were found; doubts: failed checks since the last that succeeded.
    """

    key: int
    pose: Pose
    steady: SteadyRegion
    confirmed: int
    first: Pose
    before: Pose | None = None
    age: int = 0
    doubts: int = 0

    @classmethod
    def begin(cls, key: int, pose: Pose, number: int) -> _Followed:
        return cls(key, pose, SteadyRegion.begin(pose.region), number, pose)

    @property
    def surprise(self) -> float:
        """How far the person moved since the frame before; infinite for somebody new."""
        return math.inf if self.before is None else self.pose.distance(self.before)


@dataclass(frozen=True, eq=False)
class _Lost:
    """Somebody who was followed. since: the frame in which they were lost."""

    key: int
    region: Region
    since: int

    def is_due(self, number: int) -> bool:
        """Whether to search for them in a frame: often at first, then seldom."""
        return number % (2 if number - self.since < _SOON else 6) == 1


@dataclass(frozen=True, eq=False)
class _Refused:
    """A place where the detector saw somebody who could not be confirmed.

    It is skipped for `pause` frames after `since`, longer each time: a chair stays a chair.
    """

    region: Region
    since: int
    pause: int

    def skips(self, number: int, missing: bool) -> bool:
        """Whether the place is skipped in a frame; not for as long while somebody is missing."""
        return number < self.since + self.pause // (4 if missing else 1)


@dataclass(frozen=True, eq=False)
class _Held:
    """A frame that has not been given out yet. people: their poses by their keys."""

    frame: ndarray
    people: dict[int, Pose]


class Follower:
    """People of one video, frame after frame.

    Each person is looked at where they were in the frame before, as MediaPipe's own graph does it for one. Others are
    searched for in views of the picture (`ViewSchedule`). Somebody new must be seen by the detector in a view in which
    they have the size that it is made for, and must pass checks in the next frames. Then they are followed backwards
    too, through the held frames in which no search had found them yet.
    """

    def __init__(self, model: PoseModel, cfg: FollowConfig) -> None:
        self._model, self._cfg = model, cfg
        self._followed: list[_Followed] = []
        self._lost: list[_Lost] = []
        self._refused: list[_Refused] = []
        self._held: deque[_Held] = deque()
        self._schedule: ViewSchedule | None = None
        self._changes: ChangeFinder | None = None
        self._keys = itertools.count()
        self._lengths: Counter[int] = Counter()  # frames in which each key was seen
        self._number = -1

    def people(self, frames: Iterable[ndarray]) -> Iterator[list[Pose]]:
        """The people of each frame, given out `look_back` frames later."""
        with ThreadPoolExecutor(1) as searcher, ThreadPoolExecutor(num_threads()) as followers:
            for frame in frames:
                self._step(frame, searcher, followers)
                room = min(self._cfg.look_back, _HELD_BYTES // frame.nbytes)
                while len(self._held) > max(_SHORTEST, room):
                    yield self._give_out()
        self._end()
        while self._held:
            yield self._give_out()

    def _step(self, frame: ndarray, searcher: Executor, followers: Executor) -> None:
        """Follow everyone into the next frame, while it is searched."""
        self._number += 1
        self._held.append(_Held(frame, {}))
        searches = [(view, searcher.submit(self._model.detect, frame, view)) for view in self._due(frame)]
        self._follow(frame, followers)
        for view, people in [(view, search.result()) for view, search in searches]:
            self._take(frame, view, people)
        for lost in [one for one in self._lost if self._number % 2 and 0 < self._number - one.since < _SOON]:
            self._look_again(frame, lost)
        for person in self._followed:
            self._show(self._held[-1], person.key, person.pose)
            if person.age == _TRIAL:
                self._follow_back(person)

    def _end(self) -> None:
        """Search what the first sweep has not come to, and follow back those who are new when the video ends."""
        if self._schedule is None:
            return
        frame = self._held[-1].frame
        while views := self._schedule.rest(self._boxes()):
            for view in views:
                self._take(frame, view, self._model.detect(frame, view))
        for person in self._followed:
            if person.age == 0:
                self._show(self._held[-1], person.key, person.pose)
            if person.age < _TRIAL:
                self._follow_back(person)

    def _show(self, held: _Held, key: int, pose: Pose) -> None:
        self._lengths[key] += key not in held.people
        held.people[key] = pose

    def _give_out(self) -> list[Pose]:
        """The people of the earliest frame that is held, without those who were seen for a few frames only."""
        shortest = min(_SHORTEST, self._number + 1)
        return [pose for key, pose in self._held.popleft().people.items() if self._lengths[key] >= shortest]

    def _follow_back(self, person: _Followed) -> None:
        """Add somebody new to the frames before, as far as they can be followed and are not among the people there."""
        one, missed = _Followed.begin(person.key, person.first, self._number), 0
        for held in list(self._held)[-2 - person.age :: -1]:
            again = self._go_on(held.frame, one)
            if again is None or (missed and not self._is_settled(held.frame, again.pose)):
                missed += 1
                if missed > _MISSED:
                    break
                continue
            one, missed = again, 0
            own = held.people.get(person.key)
            # A pose from before they were lost may have been the last, bad one.
            if own is not None and own.distance(one.pose) < _AGREEING[_NARROWER]:
                break
            if any(one.pose.shows_same(other) for key, other in held.people.items() if key != person.key):
                break
            self._show(held, person.key, one.pose)

    def _follow(self, frame: ndarray, followers: Executor) -> None:
        """Look at everyone where they were in the frame before; of those who now show one person, one stays."""
        going = [one for one in followers.map(partial(self._go_on, frame), self._followed) if one is not None]
        kept: list[_Followed] = []
        for person in sorted(going, key=lambda one: one.surprise):
            if not any(person.pose.shows_same(other.pose) for other in kept):
                kept.append(person)
        stayed = {person.key for person in kept}
        lost = [one for one in self._followed if one.key not in stayed]
        for person in lost:
            if person.age < _TRIAL:
                self._forget(person)
            else:
                self._lost.append(_Lost(person.key, person.steady.region, self._number))
        self._lost = [one for one in self._lost if self._number - one.since < self._cfg.remember]
        self._followed = [person for person in going if person in kept]

    def _forget(self, person: _Followed) -> None:
        """Take somebody who failed their trial out of the held frames."""
        for held in list(self._held)[-1 - _TRIAL :]:
            held.people.pop(person.key, None)

    def _go_on(self, frame: ndarray, person: _Followed) -> _Followed | None:
        """The person in the next frame; None once lost."""
        pose = self._model.look(frame, person.steady.region)
        if pose is None or not self._large_enough(frame, pose.region):
            return None
        doubts = person.doubts
        on_trial = person.age < _TRIAL
        if on_trial or self._is_doubtful(person, pose):
            scales = tuple(_AGREEING) if on_trial else (_NARROWER,)
            doubts = 0 if any(self._agrees(frame, pose, scale) for scale in scales) else doubts + 1
        if doubts >= (_TRIAL if on_trial else _DOUBTS):
            if not self._is_detected(frame, pose):
                return None
            doubts = 0
        return replace(
            person,
            pose=pose,
            steady=person.steady.then(pose.region),
            before=person.pose,
            age=person.age + 1,
            doubts=doubts,
        )

    def _is_doubtful(self, person: _Followed, pose: Pose) -> bool:
        """Whether to check a pose: it changed much, or the detector has not seen the person for long."""
        if self._number - person.confirmed > _UNCONFIRMED and self._number % self._cfg.search_every == 0:
            return True
        return person.age % _CHECK_EVERY == 0 and pose.deformation(person.pose) > _DEFORMED

    def _agrees(self, frame: ndarray, pose: Pose, scale: float) -> bool:
        """Whether the model finds the same in a somewhat larger or smaller region; if not, there is nobody."""
        again = self._model.look(frame, pose.region.scaled(scale))
        return again is not None and again.distance(pose) < _AGREEING[scale]

    def _due(self, frame: ndarray) -> list[View]:
        """The views to search in this frame."""
        height, width = frame.shape[:2]
        if self._schedule is None or self._changes is None:
            self._schedule = ViewSchedule(width, height, self._cfg.search_every)
            self._changes = ChangeFinder(width, height, self._cfg.min_height * min(width, height))
        boxes, searched = self._boxes(), self._number % self._cfg.search_every == 0
        change = self._changes.since_last(frame, boxes) if searched else None
        views = self._schedule.due(self._number, boxes, bool(self._lost), change)
        lost = [one for one in self._lost if one.is_due(self._number)]
        if lost:
            views = [*views, lost[self._number // 2 % len(lost)].region.view(_AROUND, width, height)]
        return views

    def _boxes(self) -> Float[ndarray, "n 4"]:
        """Of those who are followed."""
        return np.array([person.pose.box for person in self._followed]).reshape(-1, 4)

    def _take(self, frame: ndarray, view: View, people: Sequence[Sighting]) -> None:
        """Follow those whom the detector saw, if they are there and are not followed yet."""
        for sighting in people:
            region = sighting.region
            known = {person.key for person in self._followed if region.shows_same(person.pose.region)}
            self._followed = [
                replace(one, confirmed=self._number) if one.key in known else one for one in self._followed
            ]
            if not known and len(self._followed) < self._cfg.max_people and self._large_enough(frame, region):
                self._take_new(frame, view, sighting)

    def _take_new(self, frame: ndarray, view: View, sighting: Sighting) -> None:
        """Follow somebody whom the detector saw, unless nothing confirms it."""
        refused = next((one for one in self._refused if one.region.shows_same(sighting.region)), None)
        if refused is not None and sighting.score < _CERTAIN and refused.skips(self._number, bool(self._lost)):
            return
        self._refused = [one for one in self._refused if one is not refused]
        pose = self._model.look(frame, sighting.region)
        if pose is not None and any(pose.shows_same(one.pose) or pose.overlaps(one.pose) for one in self._followed):
            return
        if pose is None or not self._is_somebody(frame, view, sighting, pose):
            pause = _PAUSE if refused is None else min(2 * refused.pause, _LONGEST_PAUSE)
            self._refused = [*self._refused, _Refused(sighting.region, self._number, pause)][-_MOST_REFUSED:]
            return
        self._begin(frame, pose)

    def _look_again(self, frame: ndarray, lost: _Lost) -> None:
        """Follow somebody who was lost lately, if they are where they were."""
        if len(self._followed) >= self._cfg.max_people:
            return
        pose = self._model.look(frame, lost.region)
        if pose is None or any(pose.shows_same(one.pose) or pose.overlaps(one.pose) for one in self._followed):
            return
        if pose.region.shows_same(lost.region) and self._is_settled(frame, pose):
            self._begin(frame, pose)

    def _begin(self, frame: ndarray, pose: Pose) -> None:
        """Follow somebody from now on, as one person with somebody lost who was there."""
        height, width = frame.shape[:2]
        near = [one for one in self._lost if pose.region.shows_same(one.region)]
        before = min(near, key=lambda one: math.dist(one.region.centre, pose.region.centre), default=None)
        self._lost = [one for one in self._lost if one is not before]
        key = next(self._keys) if before is None else before.key
        self._followed.append(_Followed.begin(key, pose, self._number))
        if self._schedule is not None and before is None and pose.region.size < min(width, height):
            beside = [pose.region.view(_AROUND, width, height, shift) for shift in (-_BESIDE, _BESIDE)]
            self._schedule.search_soon(*beside)

    def _is_somebody(self, frame: ndarray, view: View, sighting: Sighting, pose: Pose) -> bool:
        """Whether a pose that was found where the detector saw somebody is a person's."""
        region = sighting.region
        if math.dist(pose.region.centre, region.centre) > _DETECTED * region.size or pose.visibility.mean() < _VISIBLE:
            return False
        side = max(view[2] - view[0], view[3] - view[1]) / region.size
        fits = _FITTED_RANGE[0] <= side <= _FITTED_RANGE[1]
        if fits and sighting.score >= _CERTAIN:
            return True
        if any(region.shows_same(one.region) for one in self._lost) and sighting.score >= _KNOWN:
            return True
        return self._is_detected(frame, pose, int(fits and sighting.score >= self._cfg.sure))

    def _is_detected(self, frame: ndarray, pose: Pose, views: int = 0) -> bool:
        """Whether the detector sees the person in views around them: surely in one of them, or else in two.

        views: others in which it saw them.
        """
        height, width = frame.shape[:2]
        scores: list[float] = []
        for number, scale in enumerate(_FITTED):
            if number == 2 and not any(scores) and not self._lost:
                return False
            seen = self._model.detect(frame, pose.region.view(scale, width, height))
            scores += [max((one.score for one in seen if one.region.shows_same(pose.region)), default=0.0)]
            if scores[-1] >= self._cfg.sure or views + np.count_nonzero(scores) >= 2:
                return True
        return False

    def _is_settled(self, frame: ndarray, pose: Pose) -> bool:
        return bool(pose.visibility.mean() > _VISIBLE) and all(self._agrees(frame, pose, s) for s in _AGREEING)

    def _large_enough(self, frame: ndarray, region: Region) -> bool:
        return region.size >= 1.25 * self._cfg.min_height * min(frame.shape[:2])
