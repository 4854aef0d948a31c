"""A person before the page: looks at the image, presses a key, and remembers what was said."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE = 120_000  # milliseconds; the model trains beside the page
READY = """(before) => {
  const frame = document.querySelector("#frame");
  const shown = document.querySelector("#layer .picture")?.src;
  return frame.getAttribute("aria-busy") === "false" && shown && shown !== before;
}"""

LOADED = """(images) => {
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  return new Set(loaded.filter((name) => name.includes("size=full"))).size >= images;
}"""


@dataclass
class Person:
    """One person with one page.

    Attributes:
        page: The browser's page.
        said: What stands, oldest first: image address, kind, label.
        errors: What the page wrote on the console as an error, and what it threw.
        outside: Addresses that it asked beside the server's.
    """

    page: object
    url: str
    classes: tuple[str, ...]
    said: list[tuple[str, str, str | None]] = field(default_factory=list)
    given: int = 0
    undone: int = 0
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message):
        # Chromium writes a line of its own for every request that gets no answer, for the heatmap
        # of an image that was fetched before a new round began, and for a tile of one that is gone.
        url = message.location.get("url", "")
        gone = "net::ERR_" in message.text or "/heatmap/" in url or "/tile/" in url
        if message.type == "error" and not gone:
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _request(self, request):
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.outside.append(request.url)

    def open(self, name="Ana"):
        self.page.goto(self.url)
        self.page.wait_for_selector("#name-dialog[open], #setup:not([hidden]), #layer .picture")
        if self.page.locator("#name-dialog[open]").count():
            self.page.keyboard.type(name)
            self.page.keyboard.press("Enter")
        return self

    def shown(self):
        """Wait for an image that can be answered; return its address."""
        return urlsplit(self.source()).path.rpartition("/")[2]

    def source(self):
        """Wait for an image that can be answered; return where its picture comes from.

        Another photograph under the same name has the same address, but not the same picture.
        """
        self.page.wait_for_function(READY, arg="")
        return self.page.evaluate("() => document.querySelector('#layer .picture').src")

    def press(self, key):
        """Press a key that answers, and wait for the next image."""
        before, source = self.shown(), self.source()
        self.page.keyboard.press(key)
        self._next(source)
        kind = {"u": "unsure", "Space": "skip"}.get(key, "label")
        label = self.classes[int(key) - 1] if kind == "label" else None
        self.said.append((before, kind, label))
        self.given += 1

    def undo(self):
        """Take the last answer back, and check that its image is on the screen again."""
        before = self.source()
        self.page.keyboard.press("z")
        self._next(before)
        address, _, _ = self.said.pop()
        assert self.shown() == address
        self.undone += 1

    def wait_until_stored(self):
        self.page.wait_for_function(
            "() => document.querySelector('#saved').textContent.startsWith('All answers saved')"
        )

    def wait_until_loaded(self, images):
        """Wait until so many photographs are loaded: the page fetches those that come next."""
        self.page.wait_for_function(LOADED, arg=images)

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def _next(self, source):
        self.page.wait_for_function(READY, arg=source)
