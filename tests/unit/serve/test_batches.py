import threading
from types import SimpleNamespace

import numpy as np
import pytest

from alvision.serve.batches import BATCH, Batches, Busy


class FakeBundle:
    """A bundle that decides the first pixel, once it is let go on."""

    spec = SimpleNamespace(tiles=None)

    def __init__(self):
        self.free, self.begun = threading.Event(), threading.Event()
        self.free.set()

    def run(self, pixels):
        self.begun.set()
        assert self.free.wait(10)
        if (pixels == 255).all():
            raise ValueError("the runtime refuses")
        return pixels

    def decide(self, output):
        return [int(image[0, 0, 0]) for image in output]


def image(value):
    return np.full((2, 2, 3), value, np.uint8)


@pytest.fixture
def opened():
    sizes, bundle = [], FakeBundle()
    batches = Batches(bundle, sizes.append, waiting=50)
    yield bundle, batches, sizes
    bundle.free.set()
    batches.close()


def test_everybody_gets_the_decision_about_their_own_photograph(opened):
    _, batches, sizes = opened
    futures = [batches.judge(image(value)) for value in range(40)]
    assert [future.result(10) for future in futures] == [*range(40)]
    assert sum(sizes) == 40


def test_what_waits_is_judged_together_and_one_alone_at_once(opened):
    bundle, batches, sizes = opened
    bundle.free.clear()
    first = batches.judge(image(0))
    assert bundle.begun.wait(10)
    futures = [batches.judge(image(1)) for _ in range(BATCH + 3)]
    assert batches.waiting == BATCH + 3
    bundle.free.set()
    assert [one.result(10) for one in (first, *futures)] == [0] + [1] * (BATCH + 3)
    assert sizes == [1, BATCH, 3]


def test_too_many_are_refused_and_none_of_the_others_is_lost(opened):
    bundle, batches, _ = opened
    bundle.free.clear()
    futures = [batches.judge(image(0))]
    assert bundle.begun.wait(10)
    with pytest.raises(Busy):
        for _ in range(51):
            futures.append(batches.judge(image(2)))
    assert len(futures) == 51
    bundle.free.set()
    assert [future.result(10) for future in futures] == [0] + [2] * 50


def test_a_request_that_was_ended_stops_nobody_else(opened):
    bundle, batches, _ = opened
    bundle.free.clear()
    first = batches.judge(image(0))
    assert bundle.begun.wait(10)
    ended, later = batches.judge(image(1)), batches.judge(image(2))
    assert ended.cancel()
    assert not first.cancel()  # it is being judged
    bundle.free.set()
    assert [first.result(10), later.result(10), batches.judge(image(3)).result(10)] == [0, 2, 3]


def test_one_batch_that_fails_ends_no_other(opened):
    _, batches, sizes = opened
    with pytest.raises(ValueError, match="refuses"):
        batches.judge(image(255)).result(10)
    assert batches.judge(image(7)).result(10) == 7
    assert (sizes, batches.alive) == ([1], True)


def test_the_end_comes_after_what_waits():
    bundle = FakeBundle()
    batches = Batches(bundle, lambda size: None)
    bundle.free.clear()
    futures = [batches.judge(image(value)) for value in range(5)]
    threading.Timer(0.05, bundle.free.set).start()
    batches.close()
    assert [future.result(0) for future in futures] == [*range(5)]
    assert not batches.alive
