"""Values come in order and are the same with any number of threads."""

import threading

import pytest

from sparring.ahead import Ahead


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_values_do_not_depend_on_threads(threads):
    ahead = Ahead(lambda n: n * n, 20, threads)
    assert [ahead(n) for n in range(3, 20)] == [n * n for n in range(3, 20)]


def test_nothing_is_made_beyond_the_end():
    made = []
    ahead = Ahead(lambda n: made.append(n) or n, 4, 2)
    assert [ahead(n) for n in range(4)] == [0, 1, 2, 3]
    assert sorted(made) == [0, 1, 2, 3]


def test_the_next_is_made_while_the_first_is_used():
    begun = threading.Event()
    ahead = Ahead(lambda n: begun.set() if n == 1 else None, 2, 1)
    ahead(0)
    assert begun.wait(timeout=30)


def test_numbers_may_be_passed_over():
    ahead = Ahead(lambda n: n, 10, 2)
    assert [ahead(n) for n in (0, 5, 9)] == [0, 5, 9]


def test_an_error_reaches_who_asks():
    def fail(n):
        raise ValueError(n)

    with pytest.raises(ValueError, match="2"):
        Ahead(fail, 4, 1)(2)
