"""What the answers to the audit prove, and about which images."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from alvision.core.records import Answer
from alvision.labels.store import LabelStore
from alvision.watch import audit, queue
from alvision.watch.records import FILE, Records, Row
from alvision.watch.sampling import draw, share_of

MONDAY = date(2026, 3, 2)
TUESDAY = MONDAY + timedelta(days=1)


class Line:
    """Records of images that passed, their files, and the answers of people."""

    def __init__(self, path) -> None:
        self.path, self.records, self.bad = path, Records(path / FILE), set()

    def day(self, day, n, *, share, bad=()) -> None:
        """Let n images pass, of which the numbers in `bad` are bad."""
        (self.path / "pass").mkdir(exist_ok=True)
        start = self.records.count("1")
        with self.records.writing():
            for i in range(n):
                number = start + i + 1
                name, sha256 = f"{number}.png", f"{number:064x}"
                taken = draw(name, sha256) < share
                if taken:
                    (self.path / "pass" / name).write_bytes(b"%d" % number)
                if i in bad:
                    self.bad.add(sha256)
                row = Row(name, sha256, "now", "m", "pass", f"pass/{name}", state="moved")
                self.records.add(replace(row, audit=int(taken), share=share))
        queue.fill(self.records, self.path, batch=0, today=day)

    def drawn(self, where="queue IS NOT NULL"):
        return self.records.rows(where)

    def answer(self, rows) -> None:
        with LabelStore(self.path / "queue.alvision" / "labels.db", shared=True) as store:
            store.append(
                [
                    Answer(
                        row.queue,
                        "label",
                        "worn" if row.sha256 in self.bad else "ok",
                        "me",
                        0,
                        str(row.number),
                    )
                    for row in rows
                ],
                hash_of={row.queue: row.sha256 for row in rows}.get,
            )

    def told(self, day=TUESDAY, model="m"):
        return audit.audited(self.records, self.path, model, good=["ok"], labels=None, today=day)


@pytest.fixture
def line(tmp_path):
    made = Line(tmp_path)
    yield made
    made.records.close()


def test_doubt_counts_against_the_line_and_another_model_starts_anew(line):
    line.day(MONDAY, 20, share=1.0, bad=[2])
    assert line.told().at_most == 1 and line.told().open == 20
    *rows, last = line.drawn()
    line.answer(rows)
    unsure = Answer(last.queue, "unsure", None, "me", 0, "unsure")
    with LabelStore(line.path / "queue.alvision" / "labels.db", shared=True) as store:
        store.append([unsure], hash_of={last.queue: last.sha256}.get)
    told = line.told()
    assert (told.passed, told.drawn, told.covered, told.answered) == (20, 20, 20, 20)
    assert told.escaped == 2 and told.at_most == 2 / 20  # all were drawn
    assert line.told(model="other").drawn == 0


def test_todays_batch_counts_once_it_is_whole_and_an_older_one_from_its_first_answer(line):
    line.day(MONDAY, 20, share=1.0)
    *rows, last = line.drawn()
    line.answer(rows[:5])
    assert line.told(MONDAY).covered == 0
    told = line.told(TUESDAY)
    assert (told.covered, told.answered, told.unknown) == (20, 5, 15)
    assert told.at_most == 15 / 20
    line.answer([*rows[5:], last])
    assert line.told(MONDAY).answered == line.told(MONDAY).covered == 20


def test_a_batch_that_nobody_has_begun_is_not_spoken_of(line):
    line.day(MONDAY, 20, share=1.0)
    line.answer(line.drawn())
    line.day(TUESDAY, 30, share=1.0, bad=range(30))
    told = line.told(TUESDAY + timedelta(days=3))
    assert (told.passed, told.covered, told.answered, told.open) == (50, 20, 20, 30)


@pytest.mark.parametrize("when", ["before it was queued", "after it was queued"])
def test_a_drawn_image_whose_file_is_gone_stays_in_the_sample(line, when):
    if when == "before it was queued":
        with line.records.writing():
            for i in range(3):
                row = Row(f"g{i}.png", f"{i}", "now", "m", "pass", f"pass/g{i}.png", "gone")
                line.records.add(replace(row, audit=1, share=1.0))
        line.day(MONDAY, 17, share=1.0)
    else:
        line.day(MONDAY, 20, share=1.0)
        for row in line.drawn()[:3]:
            (line.path / "queue" / row.queue).unlink()
    there = [row for row in line.drawn() if (line.path / "queue" / str(row.queue)).exists()]
    assert len(there) == queue.waiting(line.records, line.path, None) == 17
    line.answer(there)
    told = line.told()
    assert (told.covered, told.answered, told.escaped, told.unknown) == (20, 17, 0, 3)
    assert told.at_most == 3 / 20


def test_an_image_that_was_gone_and_is_delivered_again_is_asked_after_all(line):
    line.day(MONDAY, 2, share=1.0)
    with line.records.writing():
        row = Row("g.png", "f00d", "now", "m", "pass", "pass/g.png", "gone", audit=1, share=1.0)
        line.records.add(row)
    queue.fill(line.records, line.path, batch=0, today=MONDAY)
    line.answer(line.drawn())
    assert line.told().unknown == 1
    (line.path / "pass" / "g.png").write_bytes(b"g")
    with line.records.writing():
        line.records.change(3, state="moved")
    queue.fill(line.records, line.path, batch=0, today=TUESDAY)
    line.answer(line.drawn("number = 3"))
    assert (line.told().unknown, line.told().answered, line.told().covered) == (0, 3, 3)


def test_a_batch_of_files_that_are_all_gone_counts(line):
    line.day(MONDAY, 1, share=1.0)
    (row,) = line.drawn()
    (line.path / "queue" / row.queue).unlink()
    assert (line.told().covered, line.told().unknown, line.told().at_most) == (1, 1, 1.0)


def test_a_changed_share_makes_no_sample_of_the_wrong_images(line):
    line.day(MONDAY, 200, share=0.5)
    line.day(TUESDAY, 800, share=0.05, bad=range(800))
    line.day(TUESDAY + timedelta(days=1), 50, share=0.0, bad=range(50))
    line.answer(line.drawn())
    told = line.told(TUESDAY + timedelta(days=2))
    assert told.share == 0.05 and 950 < told.covered <= 1000
    assert told.answered < 0.1 * 1000 and told.at_most > 0.8


def test_records_of_the_version_before_get_the_share_that_their_draws_show(tmp_path):
    line = Line(tmp_path)
    line.day(MONDAY, 300, share=0.2)
    line.answer(line.drawn())
    now = line.told()
    database = line.records._database
    database.executescript(
        "DROP INDEX image_passed; DROP TABLE undecoded; "
        "ALTER TABLE image DROP COLUMN share; PRAGMA user_version = 1;"
    )
    line.records.close()
    line.records = Records(tmp_path / FILE)
    after = line.told()
    (share,) = {row.share for row in line.records.rows("1")}
    assert 0.2 <= share < 0.25 and after == replace(now, share=share)
    line.records.close()


OLD_SHARES = (0.4, 0.1, 0.02)
"""Shares of the weeks that were recorded by the version that kept none."""


def deployment(rng, weeks):
    """Return the bound and the true bad share of what it speaks of, after some weeks.

    A week is its share (None: recorded by the version before), its images and their bad share.
    """
    shares = np.concatenate(
        [np.full(n, OLD_SHARES[k] if s is None else s) for k, (s, n, _) in enumerate(weeks)]
    )
    kept = np.concatenate([np.full(n, np.nan if s is None else s) for s, n, _ in weeks])
    bad = rng.random(len(shares)) < np.concatenate([np.full(n, b) for _, n, b in weeks])
    names = [f"{number:x}" for number in rng.integers(2**62, size=len(shares))]
    taken = np.array([draw("a.png", name) for name in names]) < shares
    old = np.isnan(kept)
    kept[old] = share_of(("a.png", names[i], taken[i]) for i in np.flatnonzero(old))
    drawn = [
        Row(
            "a.png",
            names[i],
            "now",
            "m",
            "pass",
            "f",
            sheet=f"{i // 100}",
            share=kept[i],
            number=i + 1,
        )
        for i in np.flatnonzero(taken).tolist()
    ]
    missed = {sheet for sheet in {row.sheet for row in drawn} if rng.random() < 0.1}
    answers = {
        row.sha256: "worn" if bad[row.number - 1] else "ok"
        for row in drawn
        if row.sheet not in missed
    }
    counted = audit.counted_batches(drawn, answers, set(), today="later")
    inside = np.zeros(len(shares), bool)
    for after, last in audit.stretches(drawn, counted):
        inside[after:last] = True
    told = audit.bound(
        drawn, answers, counted, Counter(kept[inside].tolist()), total=len(shares), good=["ok"]
    )
    spoken_of = bad[inside & (kept >= told.share) & (told.share > 0)]
    assert told.covered == len(spoken_of)
    return told.at_most, spoken_of.mean() if len(spoken_of) else 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "weeks",
    [
        [(0.5, 100, 0.0), (0.05, 400, 0.4)],
        [(0.05, 400, 0.4), (0.5, 100, 0.0)],
        [(0.3, 200, 0.1), (0.0, 60, 0.9), (0.1, 300, 0.2)],
        [(None, 100, 0.0), (None, 200, 0.3), (0.3, 50, 0.0)],
        [(None, 300, 0.05), (None, 20, 1.0), (None, 20, 1.0)],
    ],
    ids=["lowered", "raised", "stopped for a week", "old, lowered", "old, changed twice"],
)
def test_the_bound_holds_in_95_of_100_deployments_whatever_the_shares_were(weeks):
    rng = np.random.default_rng(0)
    runs = 2000
    broken = sum(true > at_most for at_most, true in (deployment(rng, weeks) for _ in range(runs)))
    # 5 % may break it; three standard errors of 2,000 runs are 1.5 %.
    assert broken / runs < 0.065
