"""Shared fixtures; shapes and types of the package are checked while the tests run."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook
from PIL import Image

pytest_plugins = ["tests.support.browser", "tests.support.line"]

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

install_import_hook(["alvision.acquisition", "alvision.inference"], "beartype.beartype")

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


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    """Keep every test's feature cache and hash memo out of the user's."""
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def paint(seed: int, label: str, side: int = 32) -> Image.Image:
    """Draw a part: `ok` is noise, every other class has a bright bar in a place of its own."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 120, (side, side, 3))
    if label != "ok":
        row = 2 + sum(map(ord, label)) % (side - 8)
        pixels[row : row + 5, :] += 100
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def parts(tmp_path) -> Path:
    """Return a root with class folders ok/ and worn/: 24 and 12 images of 32 pixels."""
    root = tmp_path / "parts"
    for label, count in (("ok", 24), ("worn", 12)):
        (root / label).mkdir(parents=True)
        for i in range(count):
            paint(i + 1000 * len(label), label).save(root / label / f"{i:03d}.png")
    return root
