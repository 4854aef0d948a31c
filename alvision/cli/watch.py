"""`watch`: a bundle beside the line, image by image as they arrive."""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.console import console
from alvision.cli.options import Options, option
from alvision.config.limits import between
from alvision.core import stopping
from alvision.core.uris import Place

if TYPE_CHECKING:
    from alvision.watch.line import Line, Setting
    from alvision.watch.outbox import Receiver, Sender
    from alvision.watch.status import Status

USAGE = """\
alvision watch bundle=brakes.bundle images=inbox/ to=line/
alvision watch bundle=brakes.bundle images=inbox/ to=line/ once=true

Predicts every image that arrives in inbox/ once and moves it to line/pass, reject,
human (between the two thresholds), new (unlike anything known) or broken.
line/queue holds what people should label: the doubtful and novel images (at most
batch= a day) and a random audit= share of what passes. Their answers
(alvision label data.root=line/queue) bound the share of bad parts that pass.
line/status.html shows that bound, and warns with pictures when the line changes.
Ctrl-C ends it; the same command goes on, also after a kill, a loss of power or a
full disk. once=true works on what is there and ends, for a scheduler: status 1 if
the line has changed.
webhook= and mqtt= send each verdict to a machine: in order, at least once, also when
the receiver was away. The key of webhook= is in ALVISION_WEBHOOK_KEY, the password of
mqtt= in ALVISION_MQTT_PASSWORD."""

PAGE = "status.html"
BUSY_SECONDS, IDLE_SECONDS = 10.0, 60.0
"""Between two writings of the status page, while images come and while none do."""


@dataclass(frozen=True, kw_only=True)
class WatchOptions(Options):
    """The words of `watch`."""

    command = "watch"
    example = "alvision watch bundle=brakes.bundle images=inbox/ to=line/"

    bundle: Path = option("The bundle that sorts.")
    images: Place = option("The folder or the address where images arrive.")
    to: Path = option("The folder that they are sorted into.")
    audit: float = option(
        "Share of what passes that people check, drawn at random.",
        default=0.05,
        limits=between(at_least=0, at_most=1),
    )
    batch: int = option(
        "Doubtful and novel images queued for people each day.",
        default=100,
        limits=between(at_least=0, at_most=100_000),
    )
    settle: float = option(
        "Seconds that a file must be unchanged before it is read.",
        default=2.0,
        limits=between(at_least=0, at_most=3600),
    )
    once: bool = option("Work on what is there and end.", default=False)
    webhook: str | None = option(
        "Address that each verdict is posted to, signed.", default=None, shown="none"
    )
    mqtt: str | None = option(
        "Broker and topic that each verdict is published to, mqtt://broker/line3.",
        default=None,
        shown="none",
    )
    labels: str | None = option(
        "The store of the answers.", key="labels.url", default=None, shown="beside the queue"
    )

    def setting(self) -> Setting:
        """Return what is watched, and how."""
        from alvision.data.storage.stored_path import place
        from alvision.watch.line import Setting

        return Setting(
            bundle=self.bundle,
            inbox=place(self.images),
            to=self.to,
            audit=self.audit,
            batch=self.batch,
            settle=self.settle,
            labels=self.labels,
        )


OPTIONS = (WatchOptions,)


def watch(words: list[str]) -> int:
    """Sort images as they arrive; return 1 if the line has changed, 0 if it was stopped."""
    options = WatchOptions.parse(words)

    from alvision.watch.line import open_line

    receivers = _receivers(options)
    with open_line(options.setting()) as line, ExitStack() as stack:
        watched = _Watched(line, _senders(options.to, receivers, stack))
        try:
            watched.run(options.once)
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on")
            watched.tell()
            return 0
        return watched.tell()


def _receivers(options: WatchOptions) -> list[Receiver]:
    found: list[Receiver] = []
    if options.webhook:
        from alvision.watch.webhook import Webhook, key_of_environment

        found.append(Webhook(options.webhook, key_of_environment()))
    if options.mqtt:
        from alvision.watch.mqtt import Mqtt

        found.append(Mqtt(options.mqtt))
    return found


def _senders(to: Path, receivers: list[Receiver], stack: ExitStack) -> list[Sender]:
    from alvision.watch.outbox import Sender

    senders = [Sender(to, one, partial(console.print, markup=False)) for one in receivers]
    for sender in senders:
        stack.callback(sender.close)
    return senders


class _Watched:
    """A line, what its verdicts are sent to, and the messages about it."""

    def __init__(self, line: Line, senders: list[Sender]) -> None:
        self.line, self.setting, self.senders = line, line.setting, senders
        self._written = -math.inf
        self._warned_of: tuple[str, ...] = ()

    def run(self, once: bool) -> None:
        """Work until interrupted; once: only on what is there now."""
        from alvision.reporting.html import count

        line, again = self.line, False
        if moved := line.finish_moves():
            console.print(f"{count(moved, 'image')} sorted before but not moved: moved now")
        while True:
            self._write(BUSY_SECONDS if line.step(self._say) else IDLE_SECONDS)
            for sender in self.senders:
                sender.tell()
            if once and (again or not line.inbox.arriving):
                break
            again = once
            stopping.wait(max(0.1, self.setting.settle / (1 if once else 2)))
        for sender in self.senders:
            sender.finish()
        if once and (left := line.inbox.arriving + line.waiting):
            console.print(f"{count(left, 'file')} still being written, or not whole yet: next time")

    def tell(self) -> int:
        """Write the page for the last time and print what it says."""
        from alvision.reporting import watch as report

        status = self._publish()
        counts = ", ".join(f"{number:,} {name}" for name, number in status.counts.items())
        console.print(f"{sum(status.counts.values()):,} images: {counts or 'none yet'}")
        console.print(report.bound(status.audit))
        console.print(status.tested)
        for sender in self.senders:
            if waiting := sender.finish(patience=0):
                console.print(
                    f"{sender.name}: {waiting:,} verdicts wait; the same command sends them",
                    markup=False,
                )
        console.print(f"page: {self.setting.to / PAGE}", markup=False)
        return int(bool(status.alarmed))

    def _say(self, counts: Counter[str]) -> None:
        """Queue what people should see, say what was done, and warn once of each change."""
        setting, records = self.setting, self.line.records
        for sender in self.senders:
            sender.tell()
        now, queued = datetime.now(), self._queue()
        if counts:
            done = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
            console.print(f"{now:%H:%M:%S} {done}" + (f"; {queued} queued" if queued else ""))
        tests = records.drift_tests(self.line.judge.model, limit=1)
        alarmed = tuple(tests[0].alarmed) if tests else ()
        if alarmed and not self._warned_of:
            from alvision.reporting import watch as report

            change = report.changed(self._publish())
            page = setting.to / PAGE
            console.print(f"warning: the line has changed: {change}; see {page}", markup=False)
        self._warned_of = alarmed

    def _queue(self) -> int:
        from alvision.watch.queue import fill

        setting, today = self.setting, datetime.now().date()
        return fill(self.line.records, setting.to, batch=setting.batch, today=today)

    def _write(self, seconds: float) -> None:
        """Write the page if the last one is at least this old."""
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
