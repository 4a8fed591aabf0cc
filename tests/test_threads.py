"""Threads: how many, and reading ahead in one."""

import threading

import pytest

from crossdiff.threads import cores, num_threads, read_ahead


def test_items_come_in_order_from_one_other_thread():
    makers = set()

    def numbers():
        for number in range(20):
            makers.add(threading.get_ident())
            yield number

    assert list(read_ahead(numbers())) == list(range(20))
    assert len(makers) == 1 and threading.get_ident() not in makers


@pytest.mark.parametrize("count", [1, 3])
def test_at_most_so_many_items_are_made_before_they_are_asked_for(count):
    made = []
    ahead = read_ahead((made.append(number) for number in range(20)), count)
    next(ahead)
    ahead.close()
    assert len(made) <= 1 + count


def test_an_error_comes_after_the_items_before_it():
    def broken():
        yield 1
        yield 2
        raise ValueError("broken")

    ahead = read_ahead(broken())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_nothing_is_read_ahead_of_nothing():
    assert list(read_ahead([])) == []


@pytest.mark.parametrize(("wanted", "expected"), [("3", 3), ("0", None), ("many", None), (None, None)])
def test_threads_are_those_of_the_environment_or_one_per_core(monkeypatch, wanted, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if wanted is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert num_threads() == (expected or cores())
