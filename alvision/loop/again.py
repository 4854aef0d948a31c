"""Images that are asked again: settled ones, as a test of people, and labels that are in doubt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from alvision.advice.control import due
from alvision.core.records import AGAIN, Event, QueryRow, SampleId
from alvision.labels.consensus import Settled, consensus, taken_back
from alvision.labels.relabel import relabels

if TYPE_CHECKING:
    from alvision.core.rounds import Round
    from alvision.loop.experiment import Experiment

GOLD, RELABEL = AGAIN
DOUBTED_FROM = 40
"""Labels from which on a model may doubt one: with fewer, its folds see too few of each class."""

REPAIR = 0.25
"""Share of each batch that `labels.noise=repair` spends on labels in doubt (docs/labels.md)."""

_MOST = 3
"""Answers that an image gets at most: where three people disagree, the class is unclear."""


def due_in_batch(exp: Experiment, rnd: Round) -> tuple[int, int]:
    """Return how many rows of a batch are gold, and how many are labels in doubt."""
    if not rnd.number:
        return 0, 0
    gold, doubted = (due(share, exp.budget.batch, rnd.number) for share in (exp.gold, exp.repair))
    return gold, doubted


def repeats(
    exp: Experiment, rnd: Round, known: Mapping[SampleId, str], *, gold: int, doubted: int
) -> tuple[list[QueryRow], list[QueryRow]]:
    """Return labelled images that are worth another answer: gold, and labels in doubt.

    `gold` are images whose class is sure; they are asked blind. `relabel` are the labels that
    ActiveLab doubts most, once there are enough labels for a model to doubt any.

    Args:
        exp: The experiment.
        rnd: The round; the randomness depends on it.
        known: The labels that may be trained on.
        gold: How many settled images, at most.
        doubted: How many labels in doubt, at most.
    """
    if not gold and not doubted:
        return [], []
    events = exp.labels.events()
    settled = consensus(events, exp.resolve)
    mine = {id: settled[id] for id in known if id in settled}
    # One of three who agree may err when asked again, and the class stays. A simulated run asks
    # another person each time, so there two are enough.
    least = 2 if exp.simulated else 3
    order = sorted((id for id in mine if sure(mine[id], least)), key=partial(_draw, rnd.number))
    blind = [QueryRow(id, 0, slot=GOLD) for id in order[:gold]]
    if not doubted or len(known) < DOUBTED_FROM or len(set(known.values())) < 2:
        return blind, []
    doubts = relabels(mine, exp.learner.cross_predict(known, round=rnd.number))
    left_out = settled_by_asking(exp, events) | {row.id for row in blind}
    found = [(id, doubt) for id, doubt in doubts.items() if id not in left_out]
    reason = "its label is in doubt: asked again"
    return blind, [QueryRow(id, 0, doubt, RELABEL, reason=reason) for id, doubt in found[:doubted]]


def sure(image: Settled, least: int) -> bool:
    """Tell whether a class is sure: somebody settled it, or so many people say it and nobody else.

    >>> alike = Settled("ok", {"anna": "ok", "bert": "ok"}, False)
    >>> sure(alike, 2), sure(alike, 3)
    (True, False)
    """
    return bool(image.by) or (len(image.votes) >= least and len(set(image.votes.values())) == 1)


def settled_by_asking(exp: Experiment, events: Iterable[Event]) -> set[SampleId]:
    """Return the images that need no other answer: two that agree, or three.

    Two answers of one person settle it too: whoever saw it twice would say it a third time.
    """
    events = tuple(events)
    back = taken_back(events)
    said: dict[SampleId, list[Event]] = {}
    for event in events:
        id = exp.resolve(event) if event.kind == "label" and event.uuid not in back else None
        if id is not None:
            said.setdefault(id, []).append(event)
    return {id for id, own in said.items() if _enough(own)}


def _enough(said: list[Event]) -> bool:
    if len(said) < 2:
        return False
    alike = len({event.label for event in said}) == 1
    return alike or len(said) >= _MOST or len({event.by for event in said}) < len(said)


def _draw(number: int, id: SampleId) -> bytes:
    return hashlib.blake2b(f"{number} {id}".encode()).digest()
