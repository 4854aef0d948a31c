import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.data.threads import ordered_map


@given(items=st.lists(st.integers()), workers=st.integers(1, 4), ahead=st.integers(0, 5))
def test_it_is_map_in_order(items, workers, ahead):
    assert list(ordered_map(str, items, workers=workers, ahead=ahead)) == list(map(str, items))


def test_it_never_runs_further_ahead_than_told():
    started, taken, lock = 0, 0, threading.Lock()

    def count(item):
        nonlocal started
        with lock:
            started += 1
            assert started - taken <= 4 + 1
        return item

    for _ in ordered_map(count, range(50), workers=3, ahead=4):
        taken += 1
    assert started == 50


def test_an_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(ordered_map(lambda x: 1 / x, [1, 0, 2], workers=2, ahead=2))
