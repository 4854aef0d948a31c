"""Which images a round asks for: the strategy's, held-out ones, and work while a model trains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.core.records import Query, QueryRow, SampleId
from alvision.loop.again import due_in_batch, repeats
from alvision.loop.cold_start import SLOT, decide
from alvision.loop.control import control_rows

if TYPE_CHECKING:
    from alvision.core.rounds import Round
    from alvision.loop.experiment import Experiment, Strategy

AUDIT_SHARE, GOLD_SHARE, RELABEL_SHARE = 4, 20, 10
"""One spare row in so many is of this kind: enough to measure by, few enough not to annoy."""


def propose(exp: Experiment, rnd: Round) -> Query:
    """Choose what a round asks for; may be empty, then the round only trains."""
    pool = exp.pool()
    known = exp.training(None)
    if rnd.number == 0:
        initial = exp.budget.initial
        n = len(pool) if initial is None else max(0, initial - len(known))
    else:
        n = exp.budget.batch
    model = rnd.previous.read("model.ckpt") if rnd.previous else None
    gold, doubted = due_in_batch(exp, rnd)
    blind, doubts = repeats(
        exp,
        rnd,
        known,
        gold=gold + exp.spare // GOLD_SHARE,
        doubted=doubted + exp.spare // RELABEL_SHARE,
    )
    again = [*blind[:gold], *doubts[:doubted]]
    rows, rest = select_batch(exp, rnd, model, pool, known, max(0, n - len(again)))
    rows += [replace(row, rank=len(rows) + place) for place, row in enumerate(again)]
    audits = next_held_out(exp, len(rows), exp.budget.audit + exp.spare // AUDIT_SHARE)
    if exp.spare:
        more = audits[exp.budget.audit :]
        repeated = [*blind[gold:], *doubts[doubted:]]
        spare = interleave((rest, 1), (more, AUDIT_SHARE), (repeated, RELABEL_SHARE // 2))
        rnd.once("ranking.csv", partial(Query, rnd.number, exp.with_hashes(spare)))
    return Query(rnd.number, exp.with_hashes((*rows, *audits[: exp.budget.audit])))


def select_batch(
    exp: Experiment,
    rnd: Round,
    model: Any,
    pool: list[SampleId],
    known: Mapping[SampleId, str],
    n: int,
) -> tuple[list[QueryRow], list[QueryRow]]:
    """Let the strategy select n images of the pool, and rank those that it would ask for next.

    With `oracle.control` some of the n are drawn at random, before it selects the others.

    Raises:
        UserError: It is round 0 and no image can be asked for.
    """
    chooser = _chooser(exp, rnd, model, known)
    drawn = control_rows(exp, chooser, pool) if n and chooser.slot == "acquisition" else []
    taken = {row.id for row in drawn}
    found = _readable_pick(chooser, [id for id in pool if id not in taken], n - len(drawn))
    if found is None:
        if rnd.number == 0 and n and not known:
            _refuse_empty(exp)
        return drawn, []
    rows = _rows(chooser, found.seen, found.pick, found.picked)
    drawn = [replace(row, rank=len(rows) + row.rank) for row in drawn]
    return [*rows, *drawn], _spare(chooser, found, n)


@dataclass(frozen=True)
class _Chooser:
    """Choose in a round: the strategy, the model and the labels it chooses by."""

    exp: Experiment
    strategy: Strategy
    slot: str
    round: int
    model: Any
    known: Mapping[SampleId, str]

    @property
    def fitted(self) -> bool:
        return self.model is not None and self.model.fitted

    def infer(self, ids: Sequence[SampleId], needs: Set[str], **options: Any) -> Any:
        return self.exp.learner.infer(self.model, ids, needs=needs, round=self.round, **options)

    def labelled(self) -> Any:
        needs = (self.strategy.needs | {"labels"}) - {"scores", "novelty"}
        return self.infer(list(self.known), needs, labels=self.known)

    def look_at(self, ids: Sequence[SampleId]) -> Any:
        """Return what the reasons of picked images are made from; unreadable ones are missing."""
        features = self.strategy.needs & {"features"}
        return self.infer(ids, features | {"log_probs" if self.fitted else "features"})


@dataclass(frozen=True)
class _Found:
    """A pick whose images can all be read: the pool and the labelled set that it was made from."""

    seen: Any
    labelled: Any
    pick: Any
    picked: Any


def _chooser(exp: Experiment, rnd: Round, model: Any, known: Mapping[SampleId, str]) -> _Chooser:
    cold = decide(exp, rnd, model)
    strategy, slot = exp.acquisition, "acquisition"
    if cold.active:
        strategy, slot = exp.cold_start, SLOT
        if cold.contrast and exp.contrast is not None:
            strategy = exp.contrast
    return _Chooser(exp, strategy, slot, rnd.number, model, known)


def _readable_pick(chooser: _Chooser, pool: list[SampleId], n: int) -> _Found | None:
    """Pick anew, without the unreadable images of the last pick, until all can be read.

    A strategy that needs neither features nor probabilities picks images that nobody has opened.
    """
    strategy = chooser.strategy
    # Of rows that it values alike a strategy takes the first, and ids in their own order would put
    # the first folder there.
    pool = sorted(pool, key=partial(chooser.exp.order, chooser.round))
    while pool and n:
        seen = chooser.infer(pool, strategy.needs, score=strategy.score)
        labelled = chooser.labelled()
        if not len(seen):
            return None
        # The same stream for each attempt: whether a file is readable must not shift the others.
        rng = chooser.exp.generator(chooser.round, chooser.slot)
        pick = strategy.acquire(seen, labelled, n=min(n, len(seen)), rng=rng)
        ids = [seen.ids[row] for row in pick.rows.tolist()]
        picked = chooser.look_at(ids)
        unreadable = set(ids) - set(picked.ids)
        if not unreadable:
            return _Found(seen, labelled, pick, picked)
        pool = [id for id in pool if id not in unreadable]
    return None


def _spare(chooser: _Chooser, found: _Found, n: int) -> list[QueryRow]:
    """Rank what comes after the batch, as work for people while the model trains."""
    exp, strategy = chooser.exp, chooser.strategy
    if not exp.spare or len(found.seen) == len(found.pick.rows):
        return []
    left = found.seen.without(found.pick.rows)
    rng = exp.generator(chooser.round, "ranking")
    # A selection costs more with every image; only a score ranks many as easily as one.
    count = exp.spare if strategy.score else min(exp.spare, max(n, exp.budget.batch))
    pick = strategy.acquire(left, found.labelled, n=min(count, len(left)), rng=rng)
    ids = [left.ids[row] for row in pick.rows.tolist()]
    picked = chooser.look_at(ids)
    # Spare work is not worth a second attempt; the next round ranks without the unreadable ones.
    return _rows(chooser, left, pick, picked) if len(picked) == len(ids) else []


def _refuse_empty(exp: Experiment) -> None:
    unreadable = exp.learner.set_aside
    if unreadable or not exp.hashes:
        reason = (
            f"all {len(unreadable)} images that were tried are unreadable; "
            "`alvision check` names each with its reason"
        )
    else:
        reason = "every image has an answer already, and none of them is a class"
    raise UserError(f"no image can be asked for: {reason}")


def _rows(chooser: _Chooser, seen: Any, pick: Any, picked: Any) -> list[QueryRow]:
    exp, slot = chooser.exp, chooser.slot
    ids = [seen.ids[row] for row in pick.rows.tolist()]
    scores = pick.scores.tolist()
    slots = pick.slots or (slot,) * len(ids)
    propensity: list[float | None] = [None] * len(ids)
    if pick.propensity is not None:
        propensity = [None if math.isnan(p) else p for p in pick.propensity.tolist()]
    reasons = [""] * len(ids)
    for name in dict.fromkeys(slots):
        part = chooser.strategy.parts.get(name, chooser.strategy)
        said = exp.explain(
            picked,
            scores,
            needs=part.needs,
            properties=part.properties,
            slot=slot,
            classes=exp.classes,
        )
        reasons = [said[i] if slots[i] == name else reasons[i] for i in range(len(ids))]
    if slot == SLOT:  # `decide` knows the cold start's rounds by it, whatever parts it mixes
        slots = (slot,) * len(ids)
    names: list[str | None] = [None] * len(ids)
    if chooser.fitted:
        means = picked.log_probs.exp().mean(1)
        names = [exp.classes[column] for column in means.argmax(1).tolist()]
    return [
        QueryRow(*row)
        for row in zip(ids, range(len(ids)), scores, slots, propensity, names, reasons, strict=True)
    ]


def next_held_out(exp: Experiment, rank: int, n: int) -> list[QueryRow]:
    """Return the next n unanswered held-out images; they are asked blind, without a prediction."""
    set_aside = exp.learner.set_aside if exp.audit_order and n else {}
    waiting = exp.unanswered(id for id in exp.audit_order if id not in set_aside)
    return [
        QueryRow(id, rank + i, slot="audit", reason="drawn at random for the audit")
        for i, id in enumerate(waiting[:n])
    ]


def interleave(*sources: tuple[list[QueryRow], int]) -> tuple[QueryRow, ...]:
    """Merge lists of rows and rank them anew; a source with number k gives a row every k turns.

    >>> rest, audits = [QueryRow(c, 0) for c in "abcd"], [QueryRow("x", 0, slot="audit")]
    >>> [row.id for row in interleave((rest, 1), (audits, 2))]
    ['a', 'b', 'x', 'c', 'd']
    """
    rows: list[QueryRow] = []
    turns = max((len(source) * every for source, every in sources), default=0)
    for turn in range(1, turns + 1):
        for source, every in sources:
            if turn % every == 0:
                rows += source[turn // every - 1 : turn // every]
    return tuple(replace(row, rank=rank) for rank, row in enumerate(rows))
