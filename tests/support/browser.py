"""The machine's own Chromium, driven by Playwright, for every test that looks at a page."""

import os
import shutil

import pytest

from tests.support.parts import imported

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
    api = imported("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium_options)
        yield browser
        browser.close()
