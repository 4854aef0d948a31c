"""`watch`: a bundle beside the line, image by image as they arrive."""

from __future__ import annotations

import math
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from alvision.config.overrides import take
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.watch.line import Line, Setting
    from alvision.watch.status import Status

console = Console(highlight=False, soft_wrap=True)
PAGE = "status.html"
BUSY_SECONDS, IDLE_SECONDS = 10.0, 60.0
"""Between two writings of the status page, while images come and while none do."""


def watch(words: list[str]) -> int:
    """Sort images as they arrive; status 1 if the line has changed, 0 if it was stopped."""
    from alvision.watch.line import open_line

    setting, once = _setting(words)
    with open_line(setting) as line:
        watched = _Watched(line)
        try:
            watched.run(once)
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on")
            watched.tell()
            return 0
        return watched.tell()


class _Watched:
    """A line, and what is told of it."""

    def __init__(self, line: Line) -> None:
        self.line, self.setting = line, line.setting
        self._written = -math.inf
        self._told: tuple[str, ...] = ()

    def run(self, once: bool) -> None:
        """Work until interrupted; once: only on what is there now."""
        from alvision.reporting.html import count

        line, again = self.line, False
        if moved := line.finish_moves():
            console.print(f"{count(moved, 'image')} judged before and not moved yet: done")
        while True:
            self._write(BUSY_SECONDS if line.step(self._say) else IDLE_SECONDS)
            if once and (again or not line.inbox.arriving):
                break
            again = once
            time.sleep(max(0.1, self.setting.settle / (1 if once else 2)))
        if once and (left := line.inbox.arriving + line.waiting):
            console.print(f"{count(left, 'file')} still being written, or not whole yet: next time")

    def tell(self) -> int:
        """Write the page for the last time and say how it stands."""
        from alvision.reporting import watch as report

        status = self._publish()
        told = ", ".join(f"{number:,} {name}" for name, number in status.counts.items())
        console.print(f"{sum(status.counts.values()):,} images: {told or 'none yet'}")
        console.print(report.bound(status.audit))
        console.print(f"page: {self.setting.to / PAGE}", markup=False)
        return int(bool(status.alarmed))

    def _say(self, counts: Counter[str]) -> None:
        """Queue what people should see, say what was done, and warn once of each change."""
        setting, records = self.setting, self.line.records
        now, queued = datetime.now(), self._queue()
        if counts:
            told = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
            console.print(f"{now:%H:%M:%S} {told}" + (f"; {queued} queued" if queued else ""))
        tests = records.drift_tests(self.line.judge.model, limit=1)
        alarmed = tuple(tests[0].alarmed) if tests else ()
        if alarmed and not self._told:
            from alvision.reporting import watch as report

            change = report.changed(self._publish())
            page = setting.to / PAGE
            console.print(f"warning: the line has changed: {change}; see {page}", markup=False)
        self._told = alarmed

    def _queue(self) -> int:
        from alvision.watch.queue import fill

        setting, today = self.setting, datetime.now().date()
        return fill(self.line.records, setting.to, batch=setting.batch, today=today)

    def _write(self, seconds: float) -> None:
        """Write the page if the last one is so old."""
        if time.monotonic() - self._written >= seconds:
            self._publish()

    def _publish(self) -> Status:
        from alvision.reporting import html as pages
        from alvision.reporting import watch as report
        from alvision.watch.status import read_status

        self._queue()  # on a new day there is room for what found none
        status = read_status(self.line, at=datetime.now())
        pages.save(self.setting.to / PAGE, report.page(status))
        self._written = time.monotonic()
        return status


def _setting(words: list[str]) -> tuple[Setting, bool]:
    from alvision.watch.line import Setting

    keys = ("bundle", "images", "to", "audit", "batch", "settle", "once", "labels.url", "debug")
    taken, rest = take(words, *keys)
    if not all(taken.get(key) for key in ("bundle", "images", "to")) or rest:
        strange = f" (what is {rest[0]}?)" if rest else ""
        raise UserError(
            "watch needs a bundle and two folders: alvision watch bundle=brakes.bundle "
            f"images=inbox/ to=line/{strange}"
        )
    setting = Setting(
        bundle=Path(taken["bundle"]),
        inbox=Path(taken["images"]),
        to=Path(taken["to"]),
        audit=_number(taken, "audit", 0.05, 1),
        batch=int(_number(taken, "batch", 100, 100_000)),
        settle=_number(taken, "settle", 2.0, 3600),
        labels=taken.get("labels.url") or None,
    )
    return setting, taken.get("once", "false").lower() == "true"


def _number(taken: dict[str, str], key: str, default: float, most: float) -> float:
    try:
        value = float(taken.get(key, default))
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise UserError(f"{key}={taken[key]} must be a number from 0 to {most:g}")
    return value
