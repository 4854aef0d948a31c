"""Shared fixtures; shapes and types of the package are checked while the tests run."""

import os
import shutil
import signal
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook
from PIL import Image

from tests.support import PROJECT

pytest_plugins = ["tests.support.browser", "tests.support.case_names", "tests.support.line"]

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# What a script starts in the background ignores Ctrl-C, and so does all that this starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup ignores this one

# Not acquisition.testing: nothing there names a shape, and it calls small functions so often that
# checking them took a third of the strategies' tests.
strategies = (PROJECT / "alvision" / "acquisition").glob("*.py")
checked = [f"alvision.acquisition.{file.stem}" for file in strategies if file.stem != "__init__"]
checked += ["alvision.acquisition.support", "alvision.inference"]
install_import_hook(checked, "beartype.beartype")

# No deadline: a loaded machine is no error. In CI no luck either.
settings.register_profile("fast", max_examples=30, deadline=None)
settings.register_profile("ci", settings.get_profile("fast"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "fast")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where every part must be there (`ALVISION_ALL_PARTS`), a missing one is no skip."""
    report = yield
    missing = report.skipped and "could not import" in str(report.longrepr)
    if missing and os.environ.get("ALVISION_ALL_PARTS"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def cache_folders(tmp_path_factory):
    """Return names for cache folders, each used once; nothing is written before a test does."""
    root = tmp_path_factory.mktemp("caches")
    return (root / str(number) for number in count())


@pytest.fixture(autouse=True)
def cache_folder(cache_folders, monkeypatch):
    """Keep every test's feature cache and hash memo out of the user's.

    Not in `tmp_path`, because every test would then make and remove a folder of its own.
    """
    folder = next(cache_folders)
    monkeypatch.setenv("ALVISION_CACHE", str(folder))
    return folder


def paint(seed: int, label: str, side: int = 32) -> Image.Image:
    """Draw a part: `ok` is noise, every other class has a bright bar in a place of its own."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 120, (side, side, 3))
    if label != "ok":
        row = 2 + sum(map(ord, label)) % (side - 8)
        pixels[row : row + 5, :] += 100
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture(scope="session")
def painted_parts(tmp_path_factory) -> Path:
    """Return class folders ok/ and worn/ with 24 and 12 images of 32 pixels; read only."""
    root = tmp_path_factory.mktemp("painted") / "parts"
    for label, images in (("ok", 24), ("worn", 12)):
        (root / label).mkdir(parents=True)
        for i in range(images):
            paint(i + 1000 * len(label), label).save(root / label / f"{i:03d}.png")
    return root


@pytest.fixture
def parts(tmp_path, painted_parts) -> Path:
    """Return a copy of `painted_parts` that a test may change."""
    return Path(shutil.copytree(painted_parts, tmp_path / "parts"))
