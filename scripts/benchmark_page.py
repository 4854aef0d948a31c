"""Measure how long a person waits on the labelling page, from the key to the next image.

    python scripts/benchmark_page.py [--quick] [--json FILE]

A real browser uses a real server with a pool of 100,000 JPEGs (320 x 240) while the loop's process
works. The browser itself measures: from the key's own time stamp, over the answer
in the store, to the frame after the next image is decoded and shown. `theirs` is what is allowed.
`--quick` takes 2,000 images and fewer answers.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import figures
import numpy as np
from page_process import chromium, ready, serving
from PIL import Image

DISTINCT = 64
ALLOWED_MS = 100.0
PAUSE_MS = 200  # faster than people are


def write_pool(folder: Path, count: int) -> None:
    """Write JPEGs of a few dozen pictures, each with bytes of its own behind its end."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(DISTINCT):
        shades = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((320, 240))
        grain = rng.integers(-8, 9, (240, 320, 1))
        file = io.BytesIO()
        pixels = np.clip(np.asarray(shades) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(file, "JPEG", quality=85)
        pictures.append(file.getvalue())
    for number in range(count):
        part = folder / f"{number // 1000:03d}"
        part.mkdir(exist_ok=True)
        content = pictures[number % DISTINCT] + number.to_bytes(8, "little")
        (part / f"{number:06d}.jpg").write_bytes(content)


def waits(address: str, answers: int) -> tuple[list[float], float]:
    """Label as one person; return the waits in milliseconds, and the seconds to the first image."""
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.add_init_script("localStorage.setItem('alvision.name', 'Ana')")
        begin = time.perf_counter()
        page.goto(address)
        shown = ready(page)
        first = time.perf_counter() - begin
        for number in range(answers):
            page.keyboard.press("123"[number % 3])
            shown = ready(page, shown)
            page.wait_for_timeout(PAUSE_MS)
        measured = page.evaluate(
            "() => performance.getEntriesByName('answer-to-next').map((entry) => entry.duration)"
        )
    return measured, first


def rows(quick: bool) -> list[figures.Figure]:
    images, answers = (2_000, 60) if quick else (100_000, 400)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "photos"
        root.mkdir()
        write_pool(root, images)
        begin = time.perf_counter()
        with serving(root, Path(folder) / "run", "classes=[ok,scratch,dent]") as address:
            started = time.perf_counter() - begin
            measured, first = waits(address, answers)
    name = f"label, {images:,} images: "
    half, most, worst = np.percentile(measured, [50, 95, 100])
    return [
        figures.figure(f"{name}key to next image, 95th percentile", "ms", most, ALLOWED_MS),
        figures.figure(f"{name}key to next image, median", "ms", half, ALLOWED_MS, 0),
        figures.figure(f"{name}key to next image, longest", "ms", worst, ALLOWED_MS, 0),
        figures.figure(f"{name}command to page", "s", started, 60.0, 0),
        figures.figure(f"{name}page to first image", "s", first, 1.0, 0),
    ]


if __name__ == "__main__":
    figures.main(__doc__, {"page": rows})
