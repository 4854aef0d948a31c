"""What the answers of people to the random audit prove about the images that passed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from alvision.watch.queue import answers_to, lost, table_name
from alvision.watch.records import Records, Row
from alvision.watch.sampling import draw, most_telling
from alvision.watch.unseen import bad_at_most

CONFIDENCE = 0.95
"""Confidence of the bound on what passed, one-sided; the page says so."""


@dataclass(frozen=True)
class Audit:
    """The proof about the images that passed, from the answers of people.

    Attributes:
        passed: Images that passed.
        drawn: Those of them that were drawn at random for people to check.
        open: Drawn images without an answer.
        covered: Images that the bound speaks of: those that passed while at least `share` of what
            passes was drawn, in the batches that count.
        share: That share.
        answered: Images of the covered ones' sample that have an answer.
        escaped: Those of the answered ones that people did not call good.
        unknown: Images of the sample without an answer; each counts as a bad one.
        at_most: Upper limit of the bad share of the covered images, 95 % sure, one-sided. For one
            model and one share it holds at every moment, see `watch.unseen`.
    """

    passed: int
    drawn: int
    open: int
    covered: int
    share: float
    answered: int
    escaped: int
    unknown: int

    @property
    def at_most(self) -> float:
        """Return the limit; 1 without a sample."""
        if not self.answered + self.unknown:
            return 1.0
        bad = bad_at_most(self.escaped + self.unknown, self.share, confidence=CONFIDENCE)
        return min(bad, self.covered - self.answered + self.escaped) / self.covered


def audited(
    records: Records,
    to: Path,
    model: str,
    *,
    good: Sequence[str],
    labels: str | None,
    today: date,
) -> Audit:
    """Bound the bad share of the images that passed, from the random audit among them.

    Because the sample is random, the limit assumes nothing about the parts; it holds for the
    covered images and not for tomorrow's, and also for whoever reads it when it looks best. It
    assumes that people are right, and that nobody leaves a whole batch alone because of its images.
    The share is one of what passed; an escape rate is a share of the defects.

    Args:
        records: The records.
        to: The line's folder.
        model: The model in force; a new model starts without any answers.
        good: Names of the classes of good parts.
        labels: Store of the answers; None: the one beside the queue.
        today: The day.
    """
    rows = records.rows("audit AND model = ?", model)
    answers = answers_to(rows, to, labels)
    gone = {row.number for row in rows if row.sha256 not in answers and lost(row, to)}
    counted = counted_batches(rows, answers, gone, today=table_name(today))
    passed: Counter[float] = Counter()
    for after, last in stretches(rows, counted):
        passed.update(records.passed(model, after=after, last=last))
    total = records.count("folder = 'pass' AND model = ?", model)
    return bound(rows, answers, counted, passed, total=total, good=good)


def counted_batches(
    rows: Sequence[Row],
    answers: Mapping[str, str | None],
    gone: AbstractSet[int],
    *,
    today: str,
) -> set[str]:
    """Return the batches that count.

    A batch counts once nothing of it is left to answer. From the next day on, when nothing is added
    to it any more, it counts from its first answer on.

    Args:
        rows: The drawn images; a batch is one table of the queue.
        answers: The class that people gave, by content.
        gone: Numbers of the images whose file is gone.
        today: What the names of today's tables begin with.
    """
    batches: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.sheet is not None:
            batches[row.sheet].append(row)
    counted = set()
    for sheet, own in batches.items():
        known = [row.sha256 in answers for row in own]
        left = sum(
            not (answered or row.number in gone) for answered, row in zip(known, own, strict=True)
        )
        if not left or (any(known) and not sheet.startswith(today)):
            counted.add(sheet)
    return counted


def stretches(rows: Sequence[Row], counted: AbstractSet[str]) -> list[tuple[int, int]]:
    """Return the stretches of the records, (after, last), that the counted batches speak of.

    An image that was not drawn belongs to the batch of the next one that was.
    """
    found: list[tuple[int, int]] = []
    after = 0
    for row in rows:
        if row.sheet in counted:
            if found and found[-1][1] == after:
                found[-1] = (found[-1][0], row.number)
            else:
                found.append((after, row.number))
        after = row.number
    return found


def bound(
    rows: Sequence[Row],
    answers: Mapping[str, str | None],
    counted: AbstractSet[str],
    passed: Mapping[float, int],
    *,
    total: int,
    good: Sequence[str],
) -> Audit:
    """Bound the bad share of the images that passed in the batches that count.

    Every drawn image of such a batch stays in the sample: without an answer it counts as bad, as
    does one that people were unsure of or skipped.

    Args:
        rows: The drawn images.
        answers: The class that people gave, by content; None where they named none.
        counted: The batches that count.
        passed: How many images passed in them, by the share that was in force.
        total: How many images passed in all.
        good: Names of the classes of good parts.
    """
    share = most_telling(passed, confidence=CONFIDENCE)
    sample = [
        row
        for row in rows
        if row.sheet in counted and row.share >= share > draw(row.name, row.sha256)
    ]
    known = [row for row in sample if row.sha256 in answers]
    return Audit(
        passed=total,
        drawn=len(rows),
        open=sum(row.sha256 not in answers for row in rows),
        covered=sum(count for other, count in passed.items() if other >= share > 0),
        share=share,
        answered=len(known),
        escaped=sum(answers[row.sha256] not in good for row in known),
        unknown=len(sample) - len(known),
    )
