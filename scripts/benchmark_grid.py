"""Measure how much faster a person labels with grids than one by one, and who errs more.

    python scripts/benchmark_grid.py data.root=FOLDER [--quick] [--json FILE]

FOLDER holds X-SDD as in docs/benchmark.md: `labels.csv` with `path,label`, and the images. They are
copied under names without a class, and a scripted person labels them in a real browser with the
default model: first one by one, then with grids, then the exceptions that the grids left. The same
person in both arms, with the times and errors that are constants below. `theirs` of an answer rate
is one by one; `theirs` of wrong answers is one by one too.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import figures
from page_process import chromium, ready, serving
from playwright.sync_api import Page

from alvision.labels.location import labels_location
from alvision.page.image_urls import ServedImages
from alvision.page.secret import read_secret

# The keystroke-level model (DOI 10.1145/358886.358895), in seconds.
THINK = 1.35  # to choose one of several answers
KEY = 0.28
POINT = 1.1  # to bring the mouse to a picture
CLICK = 0.1
LOOK = 0.25  # one fixation of the eye on one picture, in either arm
# Errors: what a person misreads, and what they overlook where few things are wrong: 30 % of rare
# targets are missed (DOI 10.1038/435439a).
MISREAD = 0.02
OVERLOOKED = 0.30

INITIAL, BATCH = 20, 100  # images: the model of both arms has learned both, but what is held out
FASTER = 5.0
FEW = 24  # in a grid; below, the person takes another class


class Person:
    """One person before the page, who knows the truth, errs, and takes their time."""

    def __init__(self, page: Page, truth: dict[str, str], classes: list[str]) -> None:
        self.page = page
        self._truth = truth
        self._classes = classes
        self._rng = random.Random(0)
        self.wrong = self.answers = 0

    def wait(self, seconds: float) -> None:
        """Let time pass, as it does for a person who looks or moves a hand."""
        self.page.wait_for_timeout(1000 * seconds)

    def one(self) -> None:
        """Answer the image on the screen."""
        source = ready(self.page)
        label = self._truth[source.split("/image/")[1].split("?")[0]]
        if self._rng.random() < MISREAD:
            label = self._rng.choice([name for name in self._classes if name != label])
            self.wrong += 1
        self.wait(LOOK + THINK + KEY)
        self.page.keyboard.press(str(self._classes.index(label) + 1))
        ready(self.page, source)
        self.answers += 1

    def grid(self) -> int:
        """Answer the grid on the screen but the exceptions; return how many were marked."""
        page = self.page
        page.wait_for_function(LOADED)
        label, pictures = page.evaluate(SEEN)
        self.wait(LOOK * len(pictures))
        marked = wrong = 0
        for place, address in enumerate(pictures):
            fits = self._truth[address] == label
            if self._rng.random() < (MISREAD if fits else 1 - OVERLOOKED):
                self.wait(POINT + CLICK)
                page.locator(".card").nth(place).click()
                marked += 1
            else:
                wrong += not fits
        self.wait(THINK + KEY)
        page.keyboard.press("Enter")
        page.wait_for_function(OTHER, arg=pictures[0])
        self.answers += len(pictures) - marked
        self.wrong += wrong
        return marked

    def fullest(self) -> bool:
        """Take another class where few images are left of this one; tell whether there are any."""
        counts = self.page.evaluate(COUNTS)
        place, most = max(enumerate(counts), key=lambda pair: pair[1])
        if len(self.page.evaluate(SEEN)[1]) < min(FEW, most):
            self.wait(THINK + KEY)
            self.page.keyboard.press(str(place + 1))
            self.page.wait_for_function(FULL, arg=place)
        return bool(most)


LOADED = """() => {
  const pictures = [...document.querySelectorAll(".card img")];
  return pictures.length && pictures.every((one) => one.complete && one.naturalWidth);
}"""
SEEN = """() => [
  document.querySelector("#grid-classes [aria-pressed=true]")?.dataset.name ?? null,
  [...document.querySelectorAll(".card")].map((card) => card.dataset.id),
]"""
OTHER = """(first) => {
  const now = document.querySelector(".card")?.dataset.id;
  return now !== first && (now || document.querySelector("#grid-none").textContent);
}"""
COUNTS = """() => [...document.querySelectorAll("#grid-classes small")]
  .map((one) => Number(one.textContent))"""
FULL = """(place) => {
  const chip = document.querySelectorAll("#grid-classes button")[place];
  return chip?.getAttribute("aria-pressed") === "true";
}"""


def copied(source: Path, root: Path) -> dict[str, str]:
    """Copy the images under neutral names, in a drawn order; return the class of each."""
    with (source / "labels.csv").open(encoding="utf-8") as file:
        rows = sorted((row["path"], row["label"]) for row in csv.DictReader(file))
    random.Random(0).shuffle(rows)
    truth = {}
    for number, (id, label) in enumerate(rows):
        name = f"sheet-{number:04d}{Path(id).suffix}"
        shutil.copyfile(source / id, root / name)
        truth[name] = label
    return truth


def get(address: str, path: str) -> Any:
    with urllib.request.urlopen(address + path, timeout=120) as response:
        return json.load(response)


def begin(address: str, truth: dict[str, str], out: Path) -> None:
    """Answer two batches without a browser, until the model has learned and seen the pool."""
    while True:
        state = get(address, "/api/state?by=")
        batch = state["batch"]
        if batch and batch["round"] == 2:
            break
        if batch is None or batch["done"] == batch["size"]:
            time.sleep(0.5)  # it reads the images, or trains
            continue
        for item in get(address, "/api/next?by=Eva&n=1")["items"]:
            event = {"uuid": str(uuid.uuid4()), "kind": "label", "label": truth[item["id"]]}
            event |= {"id": item["id"], "sha256": item["sha256"]}
            content = json.dumps({"by": "Eva", "events": [event]}).encode()
            kind = {"content-type": "application/json"}
            request = urllib.request.Request(f"{address}/api/answers", content, kind)
            urllib.request.urlopen(request, timeout=120).close()
    asked = (out / "rounds" / "002" / "query.csv").stat().st_mtime
    while (out / "overview.parquet").stat().st_mtime < asked:
        time.sleep(0.5)


def arms(address: str, truth: dict[str, str], classes: list[str], quick: bool) -> dict[str, float]:
    """Label one by one, then with grids; return answers a minute, wrong ones, and the undo."""
    singles, many = (10, 60) if quick else (60, 320)
    found: dict[str, float] = {}
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.add_init_script("localStorage.setItem('alvision.name', 'Ana')")
        page.goto(address)
        alone = Person(page, truth, classes)
        ready(page)
        begun = time.perf_counter()
        while alone.answers < singles:
            alone.one()
        found["one by one"] = 60 * alone.answers / (time.perf_counter() - begun)
        found["wrong one by one"] = 100 * alone.wrong / alone.answers

        hasty = Person(page, truth, classes)
        begun = time.perf_counter()
        hasty.wait(KEY)
        page.keyboard.press("g")
        left = 0
        page.wait_for_function(LOADED)
        while hasty.answers < many and hasty.fullest():
            left += hasty.grid()
        found["grids"] = 60 * hasty.answers / (time.perf_counter() - begun)
        found["grid answers"] = hasty.answers

        last = page.inner_text("#labels")
        pressed = time.perf_counter()
        page.keyboard.press("z")
        page.wait_for_function(
            "() => document.querySelector('#last').textContent.startsWith('Und')"
        )
        found["undo"] = time.perf_counter() - pressed
        found["undone"] = float(last) - float(page.inner_text("#labels"))
        page.keyboard.press("Enter")
        page.wait_for_timeout(2000)

        hasty.wait(KEY)
        page.keyboard.press("Escape")
        for _ in range(left):
            hasty.one()
        # The undo and its pause are no part of the work.
        spent = 60 * found["grid answers"] / found["grids"] + KEY + left * 60 / found["one by one"]
        found["with exceptions"] = 60 * hasty.answers / spent
        found["wrong with grids"] = 100 * hasty.wrong / hasty.answers
        found["exceptions"] = left
    return found


def rows(quick: bool) -> list[figures.Figure]:
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "sheets", Path(folder) / "run"
        root.mkdir()
        truth = copied(SOURCE, root)
        classes = sorted(set(truth.values()))
        words = [
            f"classes=[{','.join(classes)}]",
            f"budget.initial={INITIAL}",
            f"budget.batch={BATCH}",
        ]
        with serving(root, out, *words) as address:
            secret = read_secret(labels_location(root).with_name("page.key"))
            pictures = ServedImages({name: root / name for name in truth}, secret, root)
            known = {pictures.address(name): label for name, label in truth.items()}
            begin(address, known, out)
            found = arms(address, known, classes, quick)
    print(json.dumps(found, indent=1))
    single = found["one by one"]
    wrong = found["wrong one by one"] or 100 * MISREAD
    figure = figures.figure
    return [
        figure("X-SDD: answers in grids", "answers/s", found["grids"] / 60, single / 60, FASTER),
        figure(
            "X-SDD: answers, with the exceptions one by one", "answers/s",
            found["with exceptions"] / 60, single / 60, figures.NO_TARGET,
        ),
        figure("X-SDD: wrong answers", "%", max(found["wrong with grids"], 0.01), wrong),
        figure("undo of a whole grid", "s", found["undo"], 1.0),
    ]  # fmt: skip


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if word.startswith("data.root=")]
    if not given:
        raise SystemExit("say where X-SDD lies: data.root=FOLDER")
    SOURCE = Path(given[0].partition("=")[2])
    sys.argv.remove(given[0])
    figures.main(__doc__, {"grid": rows})
