"""Killed at random moments while images arrive: one row each, no file lost, none doubled."""

import hashlib
import io
import random
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import paint
from tests.integration.watch.test_trouble import start

pytestmark = pytest.mark.slow
IMAGES = 2000


def content(i: int) -> bytes:
    """Return an image's bytes."""
    file = io.BytesIO()
    paint(i, "worn" if i % 4 == 0 else "ok").save(file, format="PNG")
    return file.getvalue()


def arrive(inbox: Path, images: list[bytes], pause: float) -> None:
    """Write images as cameras do: in place, some of them in two parts, some in folders."""
    for i, data in enumerate(images):
        path = inbox / (f"camera {i % 3}" if i % 5 == 0 else ".") / f"{i:05d}.png"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            if i % 50 == 0:
                file.write(data[:100])
                file.flush()
                time.sleep(0.05)
                file.write(data[100:])
            else:
                file.write(data)
        time.sleep(pause)


def killed(shop, kills: int, seed: int, sent: signal.Signals = signal.SIGKILL) -> None:
    """Let images arrive, end the watcher meanwhile, and look at what is left at last."""
    images = [content(i) for i in range(IMAGES)]
    moments = random.Random(seed)
    feeder = threading.Thread(target=arrive, args=(shop.inbox, images, 0.002))
    feeder.start()
    for _ in range(kills):
        with start(shop, "audit=0.1") as watcher:
            time.sleep(moments.uniform(1.2, 3.5))
            watcher.send_signal(sent)
            watcher.communicate(timeout=60)
        # A signal that comes before the watcher listens for it ends it as a kill does.
        assert watcher.returncode == -sent or (sent != signal.SIGKILL and not watcher.returncode)
    feeder.join()
    for _ in range(3):  # what was written in the last moment may still be settling
        assert shop.watch("audit=0.1") in (0, 1)
        if not list(shop.inbox.rglob("*.png")):
            break
    rows = shop.rows()
    assert list(shop.inbox.rglob("*.png")) == []
    assert {row.state for row in rows} == {"moved"}
    assert len(rows) == len({row.name for row in rows}) == IMAGES
    assert shop.files() == sorted(row.file for row in rows)
    hashes = {hashlib.sha256(data).hexdigest(): data for data in images}
    for row in rows:
        assert (shop.line / row.file).read_bytes() == hashes.pop(row.sha256)
    assert hashes == {}
    queued = {row.queue: row for row in rows if row.queue}
    assert {p.name for p in (shop.line / "queue").iterdir()} == set(queued)
    assert all(row.audit or row.folder in ("human", "new") for row in queued.values())
    assert {row.number for row in rows if row.audit} <= {row.number for row in queued.values()}
    listed = [
        line.split(",")[0]
        for table in shop.line.glob("queue-*.csv")
        for line in table.read_text(encoding="utf-8").splitlines()[1:]
    ]
    assert sorted(listed) == sorted(queued)
    assert not list(shop.line.rglob(".*.part"))


def test_three_kills_while_two_thousand_images_arrive(shop):
    killed(shop, kills=3, seed=0)


def test_three_stops_while_two_thousand_images_arrive(shop):
    killed(shop, kills=3, seed=2, sent=signal.SIGTERM)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_stops_while_two_thousand_images_arrive(shop, record_property):
    killed(shop, kills=50, seed=3, sent=signal.SIGTERM)
    record_property("signals", 50)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("across", [False, True], ids=["one disk", "two disks"])
def test_twenty_kills_while_two_thousand_images_arrive(shop, across, record_property):
    if across:
        memory = Path("/dev/shm")
        if not memory.is_dir() or memory.stat().st_dev == shop.root.stat().st_dev:
            pytest.skip("needs a second file system")
        shop.line = Path(tempfile.mkdtemp(dir=memory)) / "line"
    try:
        killed(shop, kills=20, seed=1)
    finally:
        if across:
            shutil.rmtree(shop.line.parent)
    record_property("kills", 20)
