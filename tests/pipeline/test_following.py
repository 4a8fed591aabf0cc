"""People are followed by a model that sees one at a time, and found wherever they are in the picture."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from wild import standing

from crossdiff.pipeline.backends.following import FollowConfig, Follower, Pose, Region, View, squares, turns

SIZE = (640, 360)  # width, height


def region(x: float, y: float = 180.0, body: float = 120.0) -> Region:
    """Of somebody upright with the hips at (x, y)."""
    return Region(np.array([[x, y], [x, y - body / 2]]))


@dataclass
class Scene:
    """A world in which people have places: a frame's first pixels hold its number, all else is looked up.

    places: for each person, the hips' x by frame number (NaN: not there), shape (frames,); ghosts: places at which the
    detector sees somebody whom the model then sees elsewhere each time; hidden: (person, frame) pairs in which the
    model sees nobody; smallest: share of a view's side below which the detector sees nobody.
    """

    places: list[np.ndarray]
    ghosts: tuple[float, ...] = ()
    hidden: frozenset[tuple[int, int]] = frozenset()
    body: float = 120.0
    smallest: float = 0.0
    looks: int = field(default=0, init=False)
    views: list[tuple[int, View]] = field(default_factory=list, init=False)

    def frames(self):
        for number in range(len(self.places[0])):
            frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            frame[0, 0, 0], frame[0, 0, 1] = number % 256, number // 256
            yield frame

    def detect(self, frame: np.ndarray, view: View) -> list[Region]:
        number = self._number(frame)
        self.views.append((number, view))
        if self.body < self.smallest * max(view[2] - view[0], view[3] - view[1]):
            return []
        there = [place[number] for place in self.places]
        return [region(x, body=self.body) for x in [*there, *self.ghosts] if view[0] <= x < view[2]]

    def look(self, frame: np.ndarray, where: Region) -> Pose | None:
        self.looks += 1
        number, x = self._number(frame), where.centre[0]
        for person, place in enumerate(self.places):
            if abs(place[number] - x) < 0.3 * self.body and (person, number) not in self.hidden:
                return self._pose(place[number], person)
        if any(abs(ghost - x) < self.body for ghost in self.ghosts):
            return self._pose(x + 25.0, -1)
        return None

    def _pose(self, x: float, person: int) -> Pose:
        xy = standing(self.body, (x, 180.0 - self.body / 2))
        return Pose(xy, np.full(33, 0.9), np.full((33, 3), float(person)), region(x, body=self.body))

    @staticmethod
    def _number(frame: np.ndarray) -> int:
        return int(frame[0, 0, 0]) + 256 * int(frame[0, 0, 1])


def follow(scene: Scene, **settings) -> list[list[int]]:
    """Who is seen in each frame."""
    people = Follower(scene, FollowConfig(**settings)).people(scene.frames())
    return [sorted(int(pose.world[0, 0]) for pose in there) for there in people]


def test_everyone_is_seen_in_every_frame():
    scene = Scene([100 + 2.0 * np.arange(60), np.full(60, 400.0), np.full(60, 560.0)])
    assert follow(scene) == [[0, 1, 2]] * 60


def test_small_people_are_found_in_smaller_views():
    assert follow(Scene([np.full(20, 300.0)], body=60.0, smallest=0.25)) == [[0]] * 20


def test_one_person_is_looked_at_once_a_frame_and_searched_for_seldom():
    scene = Scene([np.full(121, 300.0)])
    follow(scene, search_every=6)
    assert scene.looks <= 121 + 6
    assert len([number for number, _ in scene.views if number > 0]) == 20


def test_somebody_who_comes_in_is_followed_back_to_where_they_came_from():
    late = np.where(np.arange(80) < 31, np.nan, 500.0)
    assert follow(Scene([np.full(80, 100.0), late])) == [[0]] * 31 + [[0, 1]] * 49


def test_somebody_lost_is_found_again():
    hidden = frozenset((1, n) for n in range(20, 26))
    seen = follow(Scene([np.full(60, 100.0), np.full(60, 400.0)], hidden=hidden), search_every=60)
    assert seen == [[0] if 20 <= n < 26 else [0, 1] for n in range(60)]


def test_what_the_model_sees_elsewhere_each_time_is_nobody():
    assert follow(Scene([np.full(40, 100.0)], ghosts=(450.0,))) == [[0]] * 40
    assert follow(Scene([np.full(40, np.nan)], ghosts=(450.0,))) == [[]] * 40


def test_people_who_cross_are_never_seen_twice():
    way = np.arange(60) * 4.0
    seen = follow(Scene([200 + way, 436 - way]))
    assert all(len(set(there)) == len(there) for there in seen)
    assert seen[0] == seen[-1] == [0, 1]


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_people_than_wanted(most):
    scene = Scene([np.full(10, x) for x in (100.0, 300.0, 500.0)])
    assert {len(there) for there in follow(scene, max_people=most)} == {most}


def test_people_too_small_are_left_alone():
    assert follow(Scene([np.full(10, 100.0)], body=40.0), min_height=0.12) == [[]] * 10
    assert follow(Scene([np.full(10, 100.0)], body=40.0), min_height=0.1) == [[0]] * 10


def test_views_cover_the_picture_and_take_turns():
    for width, height in ((640, 360), (360, 640), (300, 300), (2000, 100)):
        covered = np.zeros((height, width), int)
        for left, top, right, bottom in squares(width, height, 90):
            assert right - left <= 90 and bottom - top <= 90
            covered[top:bottom, left:right] += 1
        assert covered.all()
    order = turns(640, 360)
    shown = {next(order) for _ in range(40)}
    assert (0, 0, 640, 360) in shown and len(shown) == 4 + 8


def test_a_region_is_turned_as_the_person_is():
    angles = [Region(np.array([[0.0, 0.0], end])).angle for end in ([0.0, -1.0], [1.0, 0.0], [-1.0, 0.0])]
    np.testing.assert_allclose(angles, [0, np.pi / 2, -np.pi / 2])
    assert region(0.0, body=80.0).size == 100
