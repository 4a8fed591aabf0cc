"""Captions of what the joints show: the right event, side and span, and none where nothing happens."""

from __future__ import annotations

import numpy as np
import pytest
from poses import posed
from synthetic import person

from crossdiff.data.captions import mirror_caption
from crossdiff.data.events import event_captions, find_events
from crossdiff.skeleton import HUMANML3D, KIT

FPS = 20


def pulse(frames, first, last, value):
    """(F) angles that rise to a value and fall again, within a few frames."""
    return np.interp(np.arange(frames), [first - 5, first, last, last + 5], [0, value, value, 0])


def one_leg(side, thigh, knee, frames=100, first=50, last=56):
    thighs, knees = np.zeros((frames, 2)), np.zeros((frames, 2))
    thighs[:, side], knees[:, side] = pulse(frames, first, last, thigh), pulse(frames, first, last, knee)
    return posed(thighs, knees)


def seated(frames=120, down=50, up=90):
    """Standing, thighs level and shanks hanging down from `down` to `up`, standing again."""
    both = np.interp(np.arange(frames), [down - 12, down, up, up + 12], [0, 88, 88, 0])[:, None].repeat(2, axis=1)
    return posed(both, both * 0.85)


@pytest.mark.parametrize(("side", "name"), [(0, "left"), (1, "right")])
@pytest.mark.parametrize(("kind", "thigh", "knee"), [("knee", 85, 90), ("kick", 80, 5)])
def test_a_lifted_leg_has_its_side_and_time(side, name, kind, thigh, knee):
    joints = one_leg(side, thigh, knee)
    (event,) = find_events(joints, HUMANML3D)
    assert (event.kind, event.side) == (kind, name)
    assert 10 < event.start < 45 and 61 < event.stop <= 100
    (caption,) = event_captions(joints, HUMANML3D, seed=0)
    assert f"the {name}" in caption.text
    assert (caption.start, caption.end) == (event.start / FPS, event.stop / FPS)
    (mirrored,) = event_captions(joints[:, HUMANML3D.mirror] * [-1, 1, 1], HUMANML3D, seed=0)
    assert mirrored == mirror_caption(caption)


def test_sitting_down_begins_standing_and_standing_up_ends_so():
    sit, stand = find_events(seated(), HUMANML3D)
    assert (sit.kind, stand.kind) == ("sit", "stand")
    assert sit.start < 38 and 50 < sit.stop < 95
    assert 50 < stand.start < 91 and stand.stop > 102


def test_deep_knees_for_a_moment_are_a_squat():
    frames = 100
    thighs = np.repeat(pulse(frames, 46, 54, 95)[:, None], 2, axis=1)
    (event,) = find_events(posed(thighs, thighs * 1.6), HUMANML3D)
    assert event.kind == "squat" and event.start < 42 and event.stop > 58


@pytest.mark.parametrize(("rate", "kind"), [(1.0, "walk"), (1.8, "run")])
def test_steps_on_the_spot_are_those_that_lead_nowhere(rate, kind):
    frames = 60
    swing = 40 * np.sin(2 * np.pi * rate * np.arange(frames) / FPS + 0.4)
    thighs = np.stack([swing, -swing], axis=1).clip(0)
    assert [e.kind for e in find_events(posed(thighs, 1.5 * thighs), HUMANML3D)] == [kind]
    moving = posed(thighs, 1.5 * thighs, ahead=np.linspace(0, 4, frames))
    assert not find_events(moving, HUMANML3D)


@pytest.mark.parametrize("frames", [1, 2, 30, 100])
def test_standing_shows_nothing(frames):
    assert not event_captions(posed(np.zeros((frames, 2)), np.zeros((frames, 2))), HUMANML3D, seed=0)


def test_a_leg_that_was_up_from_the_start_was_not_lifted():
    thighs = np.zeros((60, 2))
    thighs[:, 0] = 85
    assert not find_events(posed(thighs, thighs), HUMANML3D)


def test_any_motion_is_read_without_an_error_and_other_skeletons_have_no_events():
    for seed in range(8):
        joints = person(70, seed=seed, swing=1.5).double().numpy()
        for event in find_events(joints, HUMANML3D):
            assert 0 <= event.start < event.stop <= 70
    assert event_captions(person(70, KIT).numpy(), KIT, seed=0) == []
    assert event_captions(np.zeros((50, 22, 3)), HUMANML3D, seed=0) == []
