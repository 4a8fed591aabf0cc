"""People are followed by a model that sees one at a time, and found wherever they are in the picture."""

import itertools
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from wild import standing, texture

from crossdiff.pipeline.backends.following import FollowConfig, Follower, Sighting
from crossdiff.pipeline.backends.regions import Pose, Region, SteadyRegion, View
from crossdiff.pipeline.backends.views import Change, ChangeFinder, ViewSchedule, squares

SIZE = (640, 360)  # width, height
NOBODY, SMALL = np.zeros((0, 4)), np.array([[10.0, 10, 20, 40]])  # boxes


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

    def detect(self, frame: np.ndarray, view: View) -> list[Sighting]:
        number = self._number(frame)
        self.views.append((number, view))
        if self.body < self.smallest * max(view[2] - view[0], view[3] - view[1]):
            return []
        there = [place[number] for place in self.places]
        in_view = [(x, 0.9) for x in there if view[0] <= x < view[2]] + [
            (x, 0.55) for x in self.ghosts if view[0] <= x < view[2]
        ]
        return [Sighting(region(x, body=self.body), score) for x, score in in_view]

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
    later = [number for number, _ in scene.views if number > 90]
    assert later == [96, 108, 120]  # nothing changes, so every second search is left out


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


@pytest.mark.parametrize("overlap", [0.25, 0.5])
@pytest.mark.parametrize("size", [(640, 360), (360, 640), (300, 300), (2000, 100)])
def test_squares_cover_the_picture_and_overlap(size, overlap):
    covered = np.zeros(size[::-1], int)
    views = squares(*size, 90, overlap)
    for left, top, right, bottom in views:
        assert right - left <= 90 and bottom - top <= 90
        covered[top:bottom, left:right] += 1
    assert covered.all()
    starts = sorted({left for left, *_ in views})
    assert all(b - a <= 90 * (1 - overlap) + 1 for a, b in itertools.pairwise(starts))


def test_every_view_is_searched_and_the_whole_picture_in_every_frame_without_anybody():
    schedule = ViewSchedule(640, 360, every=4)
    whole = (0, 0, 640, 360)
    assert schedule.due(0, NOBODY, False) == [whole, *squares(640, 360, 360, 0.25)]
    assert schedule.due(1, NOBODY, False) == [whole] and len(schedule.due(2, NOBODY, False)) == 2
    small = {*squares(640, 360, 216, 0.5), *squares(640, 360, 130, 0.25)}
    swept = [view for n in range(3, 2 * len(small)) for view in schedule.due(n, SMALL, False)]
    rest = schedule.rest(SMALL)
    assert len({*swept, *rest}) >= len(small) - 1
    assert rest and schedule.rest(SMALL) == []
    assert [len(schedule.due(n, SMALL, False)) for n in range(8)][1:] == [0, 0, 0, 1, 0, 0, 0]
    assert all(schedule.due(n, SMALL, True) for n in range(1, 8))


def test_the_first_sweep_leaves_out_views_that_somebody_fills():
    small = {*squares(640, 360, 216, 0.5), *squares(640, 360, 130, 0.25)}
    body = np.array([[200.0, 0, 440, 360]])
    rest = ViewSchedule(640, 360, every=4).rest(body)
    assert small - set(rest) == {view for view in small if view[0] >= 200 - 0.2 * side(view) - 1 and filled(view)}
    assert 0 < len(rest) < len(small)
    schedule = ViewSchedule(640, 360, every=4)
    swept = [view for n in range(1, 2 * len(rest) + 1) for view in schedule.due(n, body, False)]
    assert set(swept) == set(rest)


def side(view: View) -> int:
    return view[2] - view[0]


def filled(view: View) -> bool:
    return view[2] <= 440 + 0.2 * side(view)


def test_searches_alternate_between_what_changed_and_all_views():
    schedule = ViewSchedule(640, 360, every=4)
    schedule.rest(SMALL)
    here, there = (0, 0, 150, 150), (300, 0, 450, 150)
    changed, quiet, moving = Change(False, [here, there]), Change(False, []), Change(True, [])
    views = [schedule.due(n, SMALL, False, changed)[0] for n in range(4, 36, 4)]
    assert views[::4] == [here] * 2 and views[2::4] == [there] * 2
    assert not {here, there} & set(views[1::2])
    assert [len(schedule.due(n, SMALL, False, quiet)) for n in range(4, 36, 4)] == [0, 1] * 4
    assert [len(schedule.due(n, SMALL, False, moving)) for n in range(4, 36, 4)] == [1] * 8
    assert [len(schedule.due(n, SMALL, True, quiet)) for n in range(4, 36, 4)] == [1] * 8


ROOM = (texture((640, 360)) + 120).astype(np.uint8)


def with_somebody(left: int, top: int, height: int) -> np.ndarray:
    frame = ROOM.copy()
    frame[top : top + height, left : left + height // 3] = 250
    return frame


def test_a_change_is_seen_in_a_view_that_somebody_there_half_fills():
    finder = ChangeFinder(640, 360, smallest=40)
    assert finder.since_last(ROOM, NOBODY).is_everywhere
    assert finder.since_last(ROOM, NOBODY) == Change(False, [])
    change = finder.since_last(with_somebody(500, 100, 90), NOBODY)
    ((left, top, right, bottom),) = change.views
    assert not change.is_everywhere and left < 500 and top < 100 and right > 530 and bottom > 190
    assert 150 < right - left == bottom - top < 220
    # At the edge the view stays inside.
    finder.since_last(ROOM, NOBODY)
    ((left, top, right, bottom),) = finder.since_last(with_somebody(600, 0, 90), NOBODY).views
    assert right == 640 and top == 0 and 150 < right - left == bottom - top < 220


def test_small_changes_and_those_around_known_people_do_not_count():
    finder = ChangeFinder(640, 360, smallest=80)
    finder.since_last(ROOM, NOBODY)
    assert finder.since_last(with_somebody(500, 100, 24), NOBODY).views == []
    finder.since_last(ROOM, NOBODY)
    assert finder.since_last(with_somebody(500, 100, 90), np.array([[500.0, 100, 530, 190]])).views == []
    # Nor where they were.
    assert finder.since_last(ROOM, NOBODY).views == []


def test_somebody_is_seen_from_a_camera_that_pans():
    noise = np.random.default_rng(0).uniform(0, 255, (540, 960, 3)).astype(np.float32)
    wide = (cv2.GaussianBlur(noise, (0, 0), 12) * 4 - 382).clip(0, 255).astype(np.uint8)
    finder = ChangeFinder(640, 360, smallest=40)
    finder.since_last(wide[50:410, 100:740], NOBODY)
    assert finder.since_last(wide[54:414, 112:752], NOBODY) == Change(False, [])
    after = wide[60:420, 120:760].copy()
    after[100:190, 300:330] = 250
    ((left, top, right, bottom),) = finder.since_last(after, NOBODY).views
    assert left < 300 and top < 100 and right > 330 and bottom > 190 and right - left < 240


def test_another_scene_is_a_change_everywhere():
    finder = ChangeFinder(640, 360, smallest=40)
    finder.since_last(ROOM, NOBODY)
    assert finder.since_last(255 - ROOM, NOBODY).is_everywhere


def test_somebody_small_who_comes_in_is_found_within_a_second():
    """The detector sees only people of a third of a view, and the views of that size are many."""

    class Seen(Scene):
        def frames(self):
            for number, frame in enumerate(super().frames()):
                for place in self.places:
                    if not np.isnan(place[number]):
                        x = int(place[number])
                        frame[150:210, max(0, x - 10) : x + 10] = 250
                yield frame

    late = np.where(np.arange(220) < 150, np.nan, 640 - 3.0 * (np.arange(220) - 149))
    scene = Seen([np.full(220, 100.0), late], body=60.0, smallest=0.33)
    seen = follow(scene, look_back=0)
    assert next(n for n, there in enumerate(seen) if 1 in there) < 150 + 30


def test_small_pictures_are_not_magnified_further():
    assert ViewSchedule(160, 120, every=4).rest(NOBODY) == []


def test_a_region_around_somebody_stays_in_the_picture():
    assert region(100.0, body=80.0).view(1.0, 640, 360) == (50, 130, 150, 230)
    assert region(100.0, body=80.0).view(1.0, 640, 360, shift=0.5) == (100, 130, 200, 230)
    assert region(10.0, body=80.0).view(1.0, 640, 360) == (0, 130, 60, 230)


def test_the_filtered_region_is_that_of_mediapipe():
    """Points between which MediaPipe 0.10.21's graph filters, on frames of 33333 microseconds."""
    start, moved = (
        Region(np.array([[100.0, 200.0], [100.0, 150.0]])),
        Region(np.array([[101.0, 200.0], [101.0, 150.0]])),
    )
    steady = SteadyRegion.begin(start).then(moved)
    seconds = 0.033333
    speed = 1 / (1 + 1 / (2 * np.pi * 1.0) / seconds) * (1 / 100 / seconds)
    weight = 1 / (1 + 1 / (2 * np.pi * (0.01 + 10.0 * speed)) / seconds)
    np.testing.assert_allclose(steady.region.points, start.points + np.array([weight, 0.0]), rtol=1e-6)
    assert SteadyRegion.begin(start).then(start).region.points.tolist() == start.points.tolist()


def test_what_is_seen_for_a_few_frames_is_not_given_out():
    short = np.where((np.arange(60) >= 30) & (np.arange(60) < 35), 500.0, np.nan)
    assert follow(Scene([np.full(60, 100.0), short]), search_every=1) == [[0]] * 60
    longer = np.where((np.arange(60) >= 30) & (np.arange(60) < 42), 500.0, np.nan)
    assert follow(Scene([np.full(60, 100.0), longer]), search_every=1) == [[0]] * 30 + [[0, 1]] * 12 + [[0]] * 18


def test_a_place_where_the_detector_is_sure_once_only_is_refused():
    """A detector that sees a chair at 0.7 in one view, and nothing in views around it."""

    class Chair(Scene):
        def detect(self, frame, view):
            found = super().detect(frame, view)
            return [*found, Sighting(region(400.0), 0.7)] if view == (0, 0, *SIZE) else found

        def look(self, frame, where):
            return self._pose(400.0, 7) if abs(where.centre[0] - 400.0) < 30 else super().look(frame, where)

    assert follow(Chair([np.full(30, 100.0)])) == [[0]] * 30


@dataclass
class LateDetector(Scene):
    """The detector sees nobody in the right half of the picture before frame 45."""

    def detect(self, frame, view):
        seen = super().detect(frame, view)
        return [one for one in seen if one.region.centre[0] < 320 or self._number(frame) >= 45]


def test_a_few_blurred_frames_do_not_end_following_backwards():
    late = np.where(np.arange(80) < 31, np.nan, 500.0)
    hidden = frozenset((1, n) for n in (34, 40, 41, 42))
    seen = follow(LateDetector([np.full(80, 100.0), late], hidden=hidden))
    assert seen == [[0, 1] if n >= 31 and (1, n) not in hidden else [0] for n in range(80)]


def test_a_bad_pose_before_somebody_was_lost_is_replaced_by_following_them_back():
    """From frame 45 to 50 the model sees somebody beside where they are; found again, they are where they are."""

    @dataclass
    class Misled(LateDetector):
        def detect(self, frame, view):
            aside = 12 * (45 <= self._number(frame) <= 50)
            seen = super().detect(frame, view)
            return [replace(one, region=region(512.0)) if aside and one.region.centre[0] > 320 else one for one in seen]

        def look(self, frame, where):
            number, x = self._number(frame), where.centre[0]
            if x < 320:
                return super().look(frame, where)
            if 45 <= number <= 50 and abs(x - 512) < 6:
                return self._pose(512.0, 1)
            return self._pose(500.0, 1) if number >= 31 and number != 51 and abs(x - 500) < 6 else None

    late = np.where(np.arange(80) < 31, np.nan, 500.0)
    scene = Misled([np.full(80, 100.0), late])
    given = list(Follower(scene, FollowConfig()).people(scene.frames()))
    places = [[pose.region.centre[0] for pose in there if pose.world[0, 0] == 1] for there in given]
    assert places == [[500.0] if n >= 31 and n != 51 else [] for n in range(80)]
