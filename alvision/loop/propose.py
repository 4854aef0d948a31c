"""Which images a round asks for: those of the strategy, those of the audit, and what comes next."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.core.records import QueryRow, SampleId
from alvision.labels.consensus import consensus
from alvision.labels.relabel import relabels
from alvision.loop.cold_start import SLOT, start

if TYPE_CHECKING:
    from alvision.core.rounds import Round
    from alvision.loop.experiment import Experiment, Strategy

AUDIT_SHARE, GOLD_SHARE, RELABEL_SHARE = 4, 20, 10
"""Spare work: one row in so many is one of these."""

DOUBTED_FROM = 40
"""Labels from which on a model may doubt one."""


def choose(
    exp: Experiment,
    rnd: Round,
    model: Any,
    pool: list[SampleId],
    known: Mapping[SampleId, str],
    n: int,
) -> tuple[list[QueryRow], list[QueryRow]]:
    """Let the strategy choose n images of the pool, then those that it would ask for next.

    An image that cannot be read is replaced.
    """
    fitted = model is not None and model.fitted
    cold = start(exp, rnd, model).cold
    strategy, slot = (exp.cold_start, SLOT) if cold else (exp.acquisition, "acquisition")
    while pool and n:
        infer = exp.learner.infer
        seen = infer(model, pool, needs=strategy.needs, score=strategy.score, round=rnd.number)
        labelled = infer(
            model,
            list(known),
            needs=(strategy.needs | {"labels"}) - {"scores"},
            round=rnd.number,
            labels=known,
        )
        if not len(seen):
            break
        rng = exp.generator(rnd.number, slot)
        pick = strategy.acquire(seen, labelled, n=min(n, len(seen)), rng=rng)
        ids = [seen.ids[row] for row in pick.rows.tolist()]
        looked_at = (strategy.needs & {"features"}) | {"log_probs" if fitted else "features"}
        look = partial(infer, model, needs=looked_at, round=rnd.number)
        picked = look(ids)
        if unreadable := set(ids) - set(picked.ids):
            pool = [id for id in pool if id not in unreadable]
            continue
        rows = _rows(exp, strategy, slot, ids, pick, picked if fitted else None, picked)
        if not exp.spare or len(seen) == len(ids):
            return rows, []
        left = seen.without(pick.rows)
        rng = exp.generator(rnd.number, "ranking")
        # A selection costs more with every image; only a score ranks many as easily as one.
        spare = exp.spare if strategy.score else min(exp.spare, max(n, exp.budget.batch))
        more = strategy.acquire(left, labelled, n=min(spare, len(left)), rng=rng)
        ids = [left.ids[row] for row in more.rows.tolist()]
        picked = look(ids)
        if len(picked) < len(ids):
            return rows, []
        return rows, _rows(exp, strategy, slot, ids, more, picked if fitted else None, picked)
    if rnd.number == 0 and n and not known:
        raise UserError(
            "no image can be asked for: "
            + (
                f"all {len(exp.learner.set_aside)} images that were tried are unreadable; "
                "`alvision check` names each with its reason"
                if exp.learner.set_aside or not exp.hashes
                else "every image has an answer already, and none is a class"
            )
        )
    return [], []


def _rows(
    exp: Experiment,
    strategy: Strategy,
    slot: str,
    ids: list[SampleId],
    pick: Any,
    predicted: Any,
    picked: Any,
) -> list[QueryRow]:
    scores = pick.scores.tolist()
    slots = pick.slots or (slot,) * len(ids)
    propensity: list[float | None] = [None] * len(ids)
    if pick.propensity is not None:
        propensity = [None if math.isnan(p) else p for p in pick.propensity.tolist()]
    reasons = [""] * len(ids)
    for name in dict.fromkeys(slots):
        part = strategy.parts.get(name, strategy)
        told = exp.explain(
            picked,
            scores,
            needs=part.needs,
            properties=part.properties,
            slot=slot,
            classes=exp.classes,
        )
        reasons = [told[i] if slots[i] == name else reasons[i] for i in range(len(ids))]
    if slot == SLOT:  # what tells its rounds, whatever parts its strategy has
        slots = (slot,) * len(ids)
    names: list[str | None] = [None] * len(ids)
    if predicted is not None:
        means = predicted.log_probs.exp().mean(1)
        names = [exp.classes[column] for column in means.argmax(1).tolist()]
    return [
        QueryRow(*row)
        for row in zip(ids, range(len(ids)), scores, slots, propensity, names, reasons, strict=True)
    ]


def audit(exp: Experiment, rank: int, n: int) -> list[QueryRow]:
    """Return the next n unanswered held-out images; asked blind, so they carry no prediction."""
    set_aside = exp.learner.set_aside if exp.audit_order and n else {}
    waiting = exp.unanswered(id for id in exp.audit_order if id not in set_aside)
    return [
        QueryRow(id, rank + i, slot="audit", reason="drawn at random for the audit")
        for i, id in enumerate(waiting[:n])
    ]


def again(exp: Experiment, rnd: Round, known: Mapping[SampleId, str]) -> list[QueryRow]:
    """Return labelled images that are worth another answer.

    `gold` are images whose dispute somebody settled, asked blind; `relabel` are those that
    ActiveLab doubts most, once there are enough labels for a model to have a say; what a person
    has said twice is not asked a third time.
    """
    events = exp.labels.events()
    settled = consensus(events, exp.resolve)
    mine = {id: settled[id] for id in known if id in settled}
    order = sorted((id for id, one in mine.items() if one.by), key=partial(_draw, rnd.number))
    rows = [QueryRow(id, 0, slot="gold") for id in order[: exp.spare // GOLD_SHARE]]
    if len(known) < DOUBTED_FROM or len(set(known.values())) < 2:
        return rows
    doubts = relabels(mine, exp.learner.cross_predict(known, round=rnd.number))
    said = Counter((exp.resolve(event), event.by) for event in events if event.kind == "label")
    confirmed = {id for (id, _), times in said.items() if times > 1}
    doubted = [(id, doubt) for id, doubt in doubts.items() if id not in confirmed]
    doubted = doubted[: exp.spare // RELABEL_SHARE]
    reason = "its label is in doubt: asked again"
    return rows + [QueryRow(id, 0, doubt, "relabel", reason=reason) for id, doubt in doubted]


def mixed(*sources: tuple[list[QueryRow], int]) -> tuple[QueryRow, ...]:
    """Mix rows and rank them anew: of each source one row in every so many turns.

    >>> rest, audits = [QueryRow(c, 0) for c in "abcd"], [QueryRow("x", 0, slot="audit")]
    >>> [row.id for row in mixed((rest, 1), (audits, 2))]
    ['a', 'b', 'x', 'c', 'd']
    """
    rows: list[QueryRow] = []
    turns = max((len(source) * every for source, every in sources), default=0)
    for turn in range(1, turns + 1):
        for source, every in sources:
            if turn % every == 0:
                rows += source[turn // every - 1 : turn // every]
    return tuple(replace(row, rank=rank) for rank, row in enumerate(rows))


def _draw(number: int, id: SampleId) -> bytes:
    return hashlib.blake2b(f"{number} {id}".encode()).digest()
