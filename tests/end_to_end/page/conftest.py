"""A real browser before a real server: Debian's Chromium, driven by Playwright."""

import pytest

from tests.conftest import paint
from tests.end_to_end.page.server import Server

CLASSES = ("ok", "scratch", "dent")


@pytest.fixture
def photos(tmp_path):
    """Return a flat folder of 120 generated images, named without a class."""
    return painted(tmp_path / "photos", 120)


def painted(root, count):
    root.mkdir(parents=True)
    for number in range(count):
        paint(number, CLASSES[number % len(CLASSES)], 64).save(root / f"part {number:03d}.png")
    return root


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts `alvision label` on a folder; all end with the test."""
    started = []

    def start(root, *words, port=None):
        server = Server(root, tmp_path / f"run-{len(started)}", *words, port=port)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()
