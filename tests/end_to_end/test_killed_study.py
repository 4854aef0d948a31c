"""A study that is killed twice and resumed ends with the bytes of one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from alvision.cli import main
from alvision.cli.compare import finished
from alvision.core.rounds import STEPS
from tests.conftest import paint
from tests.integration.conftest import TINY
from tests.support.kills import state

ACQUISITIONS = ["random_sampling", "margin", "bald", "k_center"]
ROUNDS = 2
CLOCK = "hours_of_computing"

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="kills a POSIX process group")


@pytest.fixture
def root(tmp_path):
    """Return class folders of 40 and 20 images; every fifth looks like the other class."""
    root = tmp_path / "parts"
    for label, other, count in (("ok", "worn", 40), ("worn", "ok", 20)):
        (root / label).mkdir(parents=True)
        for i in range(count):
            seed = i + 1000 * len(label)
            paint(seed, label if i % 5 else other).save(root / label / f"{i:03d}.png")
    return root


def words(root, out, seeds, jobs):
    """Return the command line of a study."""
    asked = [f"acquisition=[{','.join(ACQUISITIONS)}]", f"seeds={seeds}", f"jobs={jobs}"]
    return ["compare", *asked, f"data.root={root}", f"out={out}", *TINY, f"budget.rounds={ROUNDS}"]


class Killed:
    """Starts `alvision compare` in a session of its own, again and again, two jobs at once."""

    def __init__(self, root, out, seeds):
        self.out = out
        self.log = out.with_suffix(".log")
        self.words = words(root, out, seeds, jobs=2)

    def start(self):
        with self.log.open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-c", "from alvision.cli import entry; entry()", *self.words],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def complete(self):
        assert self.start().wait() == 0, self.log.read_text()

    def kill_after(self, rounds, seconds):
        """Kill the process and its workers, some time after so many rounds are done."""
        process = self.start()
        while len(list(self.out.glob("*/seed-*/rounds/*/metrics.json"))) < rounds:
            assert process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, self.log.read_text()

    def done(self):
        """Return the folders of the runs that need no launch."""
        return [run for run in self.out.glob("*/seed-*") if finished(run, rounds=ROUNDS)]

    def kept(self):
        """Return inode and time of what may not be made again: all of finished runs, all steps."""
        files = {path for run in self.done() for path in run.rglob("*")}
        files |= {path for step in STEPS for path in self.out.glob(f"*/seed-*/rounds/*/{step}")}
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def tables(study):
    """Return both tables; in the document without the one column that was read off a clock."""
    lines = (study / "comparison.md").read_text().splitlines()
    head = next(line for line in lines if line.endswith(f" {CLOCK} |"))
    timed = lines[lines.index(head) :]
    lines[lines.index(head) :] = [line.rsplit("|", 2)[0] for line in timed]
    return (study / "comparison.csv").read_bytes(), lines


def files(study):
    """Return the names of all files, but for the clock's: a run that was resumed has no time."""
    every = {path.relative_to(study) for path in study.rglob("*")}
    return {path for path in every if "time.json" not in path.name}


def killed_twice(root, tmp_path, seeds, record_property):
    arms = len(ACQUISITIONS) + 1  # random labels from the first to the last are one more
    jobs = seeds * (arms + 1)
    rounds = seeds * (arms * (ROUNDS + 1) + 1)
    rng = random.Random(seeds)
    killed = Killed(root, tmp_path / "killed", seeds)
    before = {}
    for first, last in ((1, rounds // 3), (rounds // 3, 2 * rounds // 3)):
        killed.kill_after(rng.randrange(first, last), rng.uniform(0, 0.5))
        assert 0 < len(killed.done()) < jobs
        assert not (killed.out / "comparison.csv").exists()
        kept = killed.kept()
        assert kept.items() > before.items()
        before = kept
    killed.complete()
    assert killed.kept().items() > before.items()
    assert len(killed.done()) == jobs
    undisturbed = tmp_path / "undisturbed"
    assert main(words(root, undisturbed, seeds, jobs=1)) == 0
    assert tables(killed.out) == tables(undisturbed)
    for run in killed.done():
        assert state(run) == state(undisturbed / run.relative_to(killed.out)), run
    assert files(killed.out) == files(undisturbed)
    record_property("kills", 2)
    record_property("jobs", jobs)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_study_of_20_jobs_killed_twice(root, tmp_path, record_property):
    killed_twice(root, tmp_path, 4, record_property)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_study_of_200_jobs_killed_twice(root, tmp_path, record_property):
    killed_twice(root, tmp_path, 40, record_property)
