"""The colours by which people are known again."""

import numpy as np
import pytest
from wild import standing

from crossdiff.pipeline.backends import Person
from crossdiff.pipeline.motion2d.mapping import BLAZEPOSE33
from crossdiff.pipeline.tracks.appearance import colours, difference


def _person(x: float) -> Person:
    return Person.from_keypoints(standing(100.0, (x, 20.0)), np.full(33, 0.9))


def test_colours_are_those_of_trunk_and_thighs():
    frame = np.zeros((140, 160, 3), np.uint8)
    frame[35:68] = (255, 51, 0)  # shoulders to hips
    frame[72:] = (0, 0, 102)
    (worn,) = colours(frame, [_person(80)], BLAZEPOSE33)
    np.testing.assert_allclose(worn, [1, 0.2, 0, 0, 0, 0.4])


def test_nothing_is_known_of_who_is_outside():
    outside, inside = colours(np.zeros((140, 160, 3), np.uint8), [_person(-80), _person(80)], BLAZEPOSE33)
    assert np.isnan(outside).all() and (inside == 0).all()
    assert colours(np.zeros((140, 160, 3), np.uint8), [], BLAZEPOSE33).shape == (0, 6)


def test_differences_are_over_the_colours_that_both_have():
    half = np.array([0.5, 0.5, 0.5, np.nan, np.nan, np.nan])
    assert difference(np.zeros((1, 6)), half[None])[0, 0] == pytest.approx(0.5)
    assert np.isnan(difference(np.full((2, 6), np.nan), half[None])).all()
