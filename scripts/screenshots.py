"""Take the pictures of the labelling page in the documents.

    python scripts/screenshots.py

Paints metal parts with scratches, dents and stains, labels some rounds of them as a person would,
and photographs the page, on a desk and on a phone, in a real browser. Writes docs/label-*.png.
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from page_process import chromium, ready, serving
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, Page

from alvision.labels.location import labels_location
from alvision.page.image_urls import ServedImages
from alvision.page.secret import read_secret

DOCS = Path(__file__).parent.parent / "docs"
CLASSES = ("ok", "scratch", "dent", "stain")
DEFECTS = CLASSES[1:]
PARTS, ROUNDS, SIDE = 480, 5, 480
HEATMAPS = 24  # that the loop has drawn before the pictures are taken
RULES = {
    "ok": "Nothing that a customer would see from half a metre away, or feel with a fingernail.",
    "scratch": "A line longer than 5 mm that a fingernail feels. Grinding marks run straight down.",
    "dent": "The light bends: one side of the spot is brighter, the other darker than the sheet.",
    "stain": "Darker without relief: oil, water, fingerprints. It could be wiped away.",
}


def paint(number: int) -> tuple[str, Image.Image]:
    """Paint a brushed steel part and what is wrong with it; faint defects are the hard ones."""
    rng = np.random.default_rng(number)
    label = CLASSES[0] if rng.random() < 0.4 else str(rng.choice(DEFECTS))
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    brushed = np.convolve(rng.normal(0, 1, SIDE + 8), np.ones(3) / 3, "same")[:SIDE]
    wander = np.repeat(rng.normal(0, 1, (6, SIDE)), SIDE // 6, 0)
    light = 150 + 38 * np.cos(2.2 * (x - rng.uniform(0.2, 0.8))) - 22 * (y - 0.5) ** 2
    sheet = light + 5.5 * brushed[None, :] + 2.0 * wander
    for _ in range(rng.integers(0, 3)):  # reflections, which are no defects
        a, b = x - rng.uniform(0, 1), y - rng.uniform(0, 1)
        sheet = sheet + rng.uniform(-16, 16) * np.exp(-(a**2 + b**2) / rng.uniform(0.01, 0.05))
    strength = rng.uniform(0.12, 0.75)
    a, b = x - rng.uniform(0.15, 0.85), y - rng.uniform(0.15, 0.85)
    if label == "dent":
        sheet = sheet + dent(a, b, strength, rng.uniform(0.04, 0.09))
    image = Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8))
    if label == "scratch":
        image = scratched(image, rng, strength)
    if label == "stain":
        image = stained(image, rng, strength)
    tint = np.asarray(image, dtype=float)[..., None] * np.array([0.97, 0.99, 1.03])
    return label, Image.fromarray(np.clip(tint, 0, 255).astype(np.uint8))


def dent(x: np.ndarray, y: np.ndarray, strength: float, radius: float) -> np.ndarray:
    """Return the change of brightness where light falls on a hollow from the upper left."""
    return 90 * strength * (x + y) / radius * np.exp(-(x**2 + y**2) / radius**2)


def scratched(image: Image.Image, rng: np.random.Generator, strength: float) -> Image.Image:
    start = rng.uniform(0.15, 0.7, 2) * SIDE
    turns = rng.normal(rng.uniform(-0.9, 0.9), 0.09, 14).cumsum() / 6 + rng.uniform(0, 0.8)
    steps = np.stack([np.cos(turns), np.sin(turns)], 1) * SIDE * rng.uniform(0.015, 0.04)
    line = [tuple(point) for point in start + steps.cumsum(0)]
    for offset, shade in ((1.6, 60), (0, 245)):  # the edge in shadow, then the edge in the light
        ink = Image.new("L", image.size, 0)
        moved = [(a + offset, b + offset) for a, b in line]
        ImageDraw.Draw(ink).line(moved, fill=int(235 * strength), width=2, joint="curve")
        mask = ink.filter(ImageFilter.GaussianBlur(0.8))
        image = Image.composite(Image.new("L", image.size, shade), image, mask)
    return image


def stained(image: Image.Image, rng: np.random.Generator, strength: float) -> Image.Image:
    ink = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(ink)
    centre = rng.uniform(0.2, 0.8, 2) * SIDE
    for _ in range(9):
        a, b = centre + rng.normal(0, 0.05, 2) * SIDE
        r = rng.uniform(0.02, 0.06) * SIDE
        draw.ellipse((a - r, b - r * 0.8, a + r, b + r * 0.8), fill=int(130 * strength))
    mask = ink.filter(ImageFilter.GaussianBlur(9))
    return Image.composite(Image.new("L", image.size, 62), image, mask)


class Line:
    """People at the line: they answer by the page's own requests, with the truth."""

    def __init__(self, address: str, root: Path, truth: dict[str, str]) -> None:
        self._address = address
        secret = read_secret(labels_location(root).with_name("page.key"))
        self._pictures = ServedImages({name: root / name for name in truth}, secret, root / "none")
        self._truth = truth

    def get(self, path: str) -> Any:
        """Read JSON."""
        with urllib.request.urlopen(self._address + path, timeout=60) as response:
            return json.load(response)

    def post(self, path: str, by: str, **body: Any) -> Any:
        """Write JSON as `by`."""
        content = json.dumps({"by": by, **body}).encode()
        kind = {"content-type": "application/json"}
        request = urllib.request.Request(self._address + path, content, kind)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def true(self, address: str) -> str:
        """Return the class that an image was painted as."""
        return self._truth[self._pictures.id(address) or ""]

    def answer(self, by: str, address: str, label: str) -> None:
        """Give an image a label, after some seconds of thought."""
        seconds = 1.2 + int(address[:2], 16) / 64
        event = {"uuid": str(uuid.uuid4()), "id": address, "kind": "label", "label": label}
        self.post("/api/answers", by, events=[event | {"seconds": round(seconds, 1)}])

    def label(self, by: str) -> str:
        """Answer the next image of the batch; return its address."""
        address = self.get(f"/api/next?by={by}&n=1")["items"][0]["id"]
        self.answer(by, address, self.true(address))
        return address

    def finish_batch(self, by: str) -> None:
        """Answer what is left of this batch, and wait until a model has learned from it."""
        number = self.batch()["round"]
        while self.batch()["round"] == number and self.batch()["done"] < self.batch()["size"]:
            self.label(by)
        while self.batch()["round"] == number:
            time.sleep(0.5)

    def batch(self) -> dict[str, int]:
        """Return how far the batch is, as soon as there is one."""
        while not (found := self.get("/api/state?by=")["batch"]):
            time.sleep(0.5)
        return found

    def write_book(self, by: str) -> None:
        """Write the rules, with examples among the images that are known by now."""
        shown = [
            (address, self.true(address)) for address in map(self._pictures.address, self._truth)
        ]
        for label, rule in RULES.items():
            own = [address for address, name in shown if name == label]
            other = [address for address, name in shown if name != label]
            version = self.get("/api/book")["version"]
            self.post(
                "/api/book", by, uuid=str(uuid.uuid4()), base=version, name=label, rule=rule,
                example=own[:5], counter=other[7:10], borderline=own[11:13],
            )  # fmt: skip


def take(page: Page, name: str) -> None:
    """Write a picture of the page, in 256 colours so that the file stays small."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(600)
    path = DOCS / f"label-{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as image:
        colours = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
        colours.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def opened(browser: Browser, address: str, **options: Any) -> Page:
    page = browser.new_context(reduced_motion="reduce", **options).new_page()
    theme = "dark" if options.get("color_scheme") == "dark" else "light"
    for key, value in (("name", "Ana"), ("theme", theme)):
        page.add_init_script(f"localStorage.setItem('alvision.{key}', '{value}')")
    page.goto(address)
    return page


def find(page: Page, wanted: str) -> None:
    """Leave images unanswered until one is shown for which `wanted` holds."""
    shown = ready(page)
    for _ in range(60):
        if page.evaluate(wanted):
            return
        page.keyboard.press("Space")
        shown = ready(page, shown)
    raise SystemExit(f"no image with {wanted}")


WELL_EXPLAINED = """() => {
  const choices = [...document.querySelectorAll(".choice")];
  const shares = choices.map((one) => Number(one.style.getPropertyValue("--share")));
  return Math.max(...shares.slice(1)) > 0.3 && document.querySelectorAll("#near li").length === 5;
}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        root = Path(folder) / "parts"
        root.mkdir()
        truth = {}
        for number in range(PARTS):
            name = f"part-{number:04d}.png"
            truth[name], image = paint(number)
            image.save(root / name)
        with serving(root, Path(folder) / "run", "budget.batch=20", "budget.audit=12") as address:
            photograph(browser, address, root, truth)


def photograph(browser: Browser, address: str, root: Path, truth: dict[str, str]) -> None:
    desk = {"viewport": {"width": 1440, "height": 900}}
    page = opened(browser, address, **desk)
    page.wait_for_selector("#setup:not([hidden])")
    for place, name in enumerate(CLASSES[:3]):
        row = page.locator("#setup-rows > div").nth(place)
        row.locator("input").first.fill(name)
        row.locator("input").last.set_checked(name in DEFECTS)
    take(page, "first-page")
    line = Line(address, root, truth)
    line.post("/api/setup", "Ana", classes=CLASSES, defects=DEFECTS)
    page.context.close()
    for _ in range(ROUNDS):
        line.finish_batch("Ana")
    line.write_book("Ana")
    out = root.with_name("run")
    while len(list(out.glob(f"rounds/{ROUNDS:03d}/heatmaps/*.png"))) < HEATMAPS:
        time.sleep(0.5)
    for number in range(9):
        known = line.label("Ana")
        if number < 2:
            line.answer("Ben", known, "dent" if line.true(known) != "dent" else "stain")

    page = opened(browser, address, **desk, color_scheme="dark")
    ready(page)
    page.keyboard.press("b")
    find(page, "() => document.querySelector('#layer .heat') !== null")
    page.wait_for_function("() => document.querySelector('#layer .heat').naturalWidth > 0")
    take(page, "dark")
    page.context.close()

    page = opened(browser, address, **desk)
    find(page, WELL_EXPLAINED)
    take(page, "desk")
    page.keyboard.press("g")
    page.wait_for_selector(".card img")
    take(page, "grid")
    page.keyboard.press("Escape")
    ready(page)
    page.keyboard.press("a")
    page.locator("#browse-pictures button").nth(2).click()
    take(page, "answers")
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.locator("#book-classes button", has_text="scratch").click()
    take(page, "book")
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    take(page, "progress")
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.wait_for_selector("#conflict:not([hidden])")
    take(page, "conflicts")
    page.context.close()

    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
    page = opened(browser, address, **phone, has_touch=True, is_mobile=True)
    find(page, WELL_EXPLAINED)
    take(page, "phone")
    page.context.close()
    in_other_languages(browser, address, desk, phone)


def in_other_languages(
    browser: Browser, address: str, desk: dict[str, Any], phone: dict[str, Any]
) -> None:
    page = opened(browser, address, **desk, locale="de-DE")
    find(page, WELL_EXPLAINED)
    take(page, "german")
    page.context.close()
    page = opened(browser, address, **phone, locale="pl-PL", has_touch=True, is_mobile=True)
    find(page, WELL_EXPLAINED)
    take(page, "polish")
    page.context.close()


if __name__ == "__main__":
    main()
