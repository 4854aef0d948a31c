"""Start the labelling page as its own process, and Chromium to use it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 600
READY = """(before) => {
  const shown = document.querySelector("#layer .picture")?.src;
  const busy = document.querySelector("#frame").getAttribute("aria-busy");
  return busy === "false" && shown && shown !== before && shown;
}"""


@contextlib.contextmanager
def serving(root: Path, out: Path, *words: str) -> Iterator[str]:
    """Run `alvision label` on a folder; give its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "alvision", "label", f"data.root={root}", f"out={out}"]
    command += [f"page.port={port}", "page.open=false", *words]
    cache = {"ALVISION_CACHE": os.environ.get("ALVISION_CACHE", str(out.with_name("cache")))}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **cache})
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the page did not start")
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/api/state?by=", timeout=30):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run the machine's Chromium without a window."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise SystemExit("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def ready(page: Page, before: str = "") -> str:
    """Wait for an image other than `before` that can be answered; return its address."""
    found = page.wait_for_function(READY, arg=before, timeout=START_SECONDS * 1000)
    return str(found.json_value())
