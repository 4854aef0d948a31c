"""Whether choosing pays at all, before there is a label: the time for all against what is usual."""

from __future__ import annotations

from collections.abc import Iterator

from alvision.advice.facts import Facts
from alvision.advice.wording import Sentence

USUAL = (26, 69)
"""Labels until a model reached 95 % of the score that all labels give, with the default strategy on
frozen features: the medians of the easiest and of the hardest protocol in `benchmarks/` that got
there (`scripts/backtest_advice.py`, docs/advice.md). It says what happened there, and no more."""

RARE = 260
"""Labels that were not enough where one image in a hundred is a defect (`elpv_rare`)."""

LEAST_SAVING = 900.0
"""Seconds that choosing must save to be worth it: a quarter of an hour. Looking at rounds costs
that, and labels of everything also say where the rare defects are."""


def pays(facts: Facts) -> Iterator[Sentence]:
    """Say how long labelling everything takes, and whether that is the better way."""
    if not facts.images:
        return
    everything = facts.images + (facts.held_out if facts.people else 0)
    values: dict[str, int | str] = {
        "n": everything,
        "seconds": f"{facts.seconds:.3g}",
        "time": clock(everything * facts.seconds),
    }
    if (facts.images - USUAL[1]) * facts.seconds < LEAST_SAVING:
        yield Sentence("advice.label_all", values)
        return
    low, high = (clock(labels * facts.seconds) for labels in USUAL)
    yield Sentence(
        "advice.choose",
        {
            **values,
            "few": USUAL[0],
            "many": USUAL[1],
            "rare": RARE,
            "few_time": low,
            "many_time": high,
        },
    )


def clock(seconds: float) -> str:
    """Write a time in minutes, from two hours on in hours; it reads alike in any language.

    >>> clock(720), clock(8640)
    ('12 min', '2.4 h')
    """
    if seconds < 7200:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36_000 else f"{seconds / 3600:.0f} h"
