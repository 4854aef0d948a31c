"""How far a run has read its images, as the page tells it."""

import json

import pytest

from alvision.run_folder.reading import FILE, Reading, minutes_left


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_minutes_follow_from_the_pace(tmp_path, clock):
    tell = Reading(tmp_path, clock)
    tell(0, 6000)
    assert minutes_left(tmp_path) is None, "nobody knows before the first images"
    clock.now = 60.0
    tell(1000, 6000)
    assert minutes_left(tmp_path) == 5
    clock.now = 358.0
    tell(5990, 6000)
    assert minutes_left(tmp_path) == 1, "never none while something is left"
    tell(6000, 6000)
    assert minutes_left(tmp_path) is None
    assert not (tmp_path / FILE).exists()


def test_it_writes_every_two_seconds_and_no_more(tmp_path, clock):
    tell = Reading(tmp_path, clock)
    for done in range(0, 1000, 10):
        tell(done, 1000)
        clock.now += 0.125
    assert json.loads((tmp_path / FILE).read_text())["done"] == 960


def test_what_an_earlier_process_left_behind_is_gone(tmp_path, clock):
    Reading(tmp_path, clock)(1, 10)
    assert (tmp_path / FILE).exists()
    Reading(tmp_path, clock)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"done": null, "total": 1, "seconds": 1}', '{"done": 5', "\xff"]
)
def test_a_damaged_file_tells_nothing(tmp_path, text):
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    assert minutes_left(tmp_path) is None
