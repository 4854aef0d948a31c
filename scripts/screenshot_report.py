"""Take the picture of the shop report in the documents.

    python scripts/screenshot_report.py [FOLDER]

Paints metal parts, lets two people label them, trains, exports, sets a threshold, writes the report
with `alvision report bundle=` and photographs it in a real browser. Writes docs/shop-report.png;
FOLDER keeps everything, else it goes to a temporary folder.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from page_process import chromium
from PIL import Image
from screenshots import CLASSES, DEFECTS, DOCS, paint

from alvision.cli import main

PARTS, SIDE = 1000, 240
CARELESS = 0.04  # of Ben's words are another class


def words(names: tuple[str, ...]) -> str:
    return f"[{','.join(names)}]"


def label(root: Path, votes: Path) -> None:
    """Paint the parts and write down what two people say of them; Ben saw a third of them."""
    rng = np.random.default_rng(0)
    with votes.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "label", "by"])
        for number in range(PARTS):
            truth, image = paint(number)
            name = f"part-{number:04d}.png"
            image.resize((SIDE, SIDE)).save(root / name)
            table.writerow([name, truth, "Ana"])
            if number % 3 == 0:
                wrong = rng.random() < CARELESS
                table.writerow([name, rng.choice(CLASSES) if wrong else truth, "Ben"])


def chain(root: Path, votes: Path) -> None:
    """Go from labels to a report."""
    data = [f"data.root={root}", f"classes={words(CLASSES)}", f"defects={words(DEFECTS)}"]
    for command in (
        ["labels", "import", data[0], data[1], f"from={votes}"],
        ["train", *data, "oracle=files", "audit.share=0.5", "name=brackets", "out=run"],
        ["export", "out=run", "bundle=brackets.bundle"],
        ["threshold", "bundle=brackets.bundle", "escape=0.05", "human=0.15"],
        ["report", "bundle=brackets.bundle"],
    ):
        if main(command):
            raise SystemExit(f"alvision {' '.join(command)} failed")


def photograph(
    page_file: Path, picture: Path, *, scheme: str = "light", height: int = 1500
) -> None:
    """Write a picture of a page's beginning, in 256 colours so that the file stays small."""
    with chromium() as browser:
        size = {"width": 1180, "height": height}
        page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
        page.goto(page_file.resolve().as_uri())
        page.screenshot(path=picture)
    with Image.open(picture) as image:
        colours = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
        colours.save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


def make(folder: Path) -> None:
    root = folder / "brackets"
    root.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if not list(root.iterdir()):
        label(root, folder / "votes.csv")
    chain(Path("brackets"), Path("votes.csv"))
    photograph(folder / "brackets.bundle" / "report.html", DOCS / "shop-report.png")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as place:
            make(Path(place).resolve())
