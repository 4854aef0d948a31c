"""Take the picture of a watched line's status page in docs/watch.md.

    python scripts/watch_page.py

Paints metal parts, trains and exports a model, lets 400 more parts arrive, the last 120 under an
aged lamp, and photographs the page in a real browser. Writes docs/watch.png.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from page_process import chromium
from PIL import Image
from screenshots import DOCS, paint

from alvision.cli import main as alvision

LABELLED, ARRIVING, AGED = 480, 400, 120


def run(*words: str) -> None:
    if alvision(list(words)) > 1:
        raise SystemExit(f"alvision {' '.join(words)} failed")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in range(LABELLED):
            label, image = paint(number)
            path = Path("parts", label, f"part-{number:04d}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
        run("train", "data.root=parts", 'defects=["scratch","dent","stain"]', "audit.share=0.5",
            "out=run")  # fmt: skip
        run("export", "out=run", "bundle=plates.bundle")
        Path("inbox").mkdir()
        for number in range(ARRIVING):
            _, image = paint(LABELLED + number)
            if number >= ARRIVING - AGED:
                image = image.point(lambda value: int(0.85 * value))
            image.save(Path("inbox", f"part-{LABELLED + number:04d}.png"))
        run("watch", "bundle=plates.bundle", "images=inbox", "to=line", "once=true", "audit=0.1")
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1160, "height": 1500})
            page.goto(Path("line", "status.html").resolve().as_uri())
            page.screenshot(path="watch.png")
        with Image.open("watch.png") as image:
            colours = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
            colours.save(DOCS / "watch.png", optimize=True)
    print(f"{DOCS / 'watch.png'}: {(DOCS / 'watch.png').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
