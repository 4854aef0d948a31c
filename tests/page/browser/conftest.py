"""A real browser before a real server: Debian's Chromium, driven by Playwright."""

import os
import shutil

import pytest

from tests.conftest import paint
from tests.page.browser.server import Server

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CLASSES = ("ok", "scratch", "dent")


@pytest.fixture(scope="session")
def chromium_options():
    """Return what starts the browser: the machine's own Chromium, which phones nobody."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        absent = pytest.fail if os.environ.get("ALVISION_ALL_PARTS") else pytest.skip
        absent("no Chromium: apt-get install chromium")
    return {"executable_path": path, "headless": True, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def chromium(chromium_options):
    """Return a running browser."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium_options)
        yield browser
        browser.close()


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
