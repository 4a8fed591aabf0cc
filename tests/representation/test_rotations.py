"""Quaternions and 6D rotations."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.testing import assert_close

from crossdiff.representation.rotations import between, inverse, multiply, rotate, to_6d, unit, yaw_quaternion

vectors = hnp.arrays(np.float32, 3, elements=st.floats(-1, 1, width=32)).map(torch.from_numpy)


@given(u=vectors, v=vectors)
def test_between_takes_one_direction_to_the_other(u, v):
    assume(u.norm() > 0.1 and v.norm() > 0.1)
    u, v = unit(u), unit(v)
    q = between(u, v)
    assert_close(q.norm(), torch.tensor(1.0))
    assert_close(rotate(q, u), v, atol=3e-3, rtol=0)


@given(u=vectors)
def test_between_opposite_directions_is_half_a_turn(u):
    assume(u.norm() > 0.1)
    u = unit(u)
    q = between(u, -u)
    assert_close(rotate(q, u), -u, atol=1e-5, rtol=0)
    assert abs(float(q[0])) < 1e-6


def test_the_axis_of_the_half_turn_can_be_chosen():
    z = torch.tensor([0.0, 0.0, 1.0])
    assert_close(between(-z, z, axis=(0.0, 1.0, 0.0)), torch.tensor([0.0, 0.0, 1.0, 0.0]))


def test_zero_vectors_give_the_identity_and_stay_zero():
    zero, z = torch.zeros(3), torch.tensor([0.0, 0.0, 1.0])
    assert_close(between(zero, z), torch.tensor([1.0, 0.0, 0.0, 0.0]))
    assert torch.equal(unit(zero), zero)


@given(u=vectors, v=vectors, w=vectors)
def test_a_product_rotates_by_the_right_hand_side_first(u, v, w):
    assume(min(u.norm(), v.norm()) > 0.1)
    a, b = between(unit(u), unit(v)), yaw_quaternion(torch.tensor(0.4))
    assert_close(rotate(multiply(a, b), w), rotate(a, rotate(b, w)), atol=1e-5, rtol=0)
    assert_close(multiply(a, inverse(a)), torch.tensor([1.0, 0.0, 0.0, 0.0]), atol=1e-5, rtol=0)


def test_6d_is_the_first_two_columns():
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0])
    assert_close(to_6d(identity), torch.tensor([1.0, 0, 0, 0, 1, 0]))
    quarter_about_y = yaw_quaternion(torch.tensor(math.pi / 4))  # z to x, x to -z
    assert_close(to_6d(quarter_about_y), torch.tensor([0.0, 0, -1, 0, 1, 0]), atol=1e-6, rtol=0)
