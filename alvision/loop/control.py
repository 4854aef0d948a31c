"""Images drawn at random beside the chosen ones, and what their comparison says of choosing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from alvision.advice.control import LEAST, SLOT, due, equally_many
from alvision.core.records import QueryRow, SampleId
from alvision.evaluation.audit import LEAST_IMAGES

if TYPE_CHECKING:
    from alvision.core.rounds import Round
    from alvision.loop.experiment import Experiment

REASON = "drawn at random"


def control_rows(exp: Experiment, chooser: Any, pool: Sequence[SampleId]) -> list[QueryRow]:
    """Draw a round's control images from the whole pool, before anything is chosen from it.

    Every image has the same chance; its propensity is that among the images that were left.
    """
    count = min(due(exp.control, exp.budget.batch, chooser.round), len(pool))
    # The order of a name of its own: `exp.order` of the images says which of equals is chosen.
    left = sorted(pool, key=lambda id: exp.order(chooser.round, f"{SLOT} {id}"))
    rows: list[QueryRow] = []
    while left and len(rows) < count:
        ids, left = left[: count - len(rows)], left[count - len(rows) :]
        for id in chooser.look_at(ids).ids:  # without those that cannot be read
            chance = 1 / (len(pool) - len(rows))
            rows.append(QueryRow(id, len(rows), slot=SLOT, propensity=chance, reason=REASON))
    return rows


def compare(exp: Experiment, rnd: Round, labels: dict[SampleId, str]) -> dict[str, Any]:
    """Train on the control labels and on as many chosen ones, and compare.

    Returns `control`, what was gained at equally many labels, and `saved`, the labels saved for an
    equal score; without one that is not known.

    Args:
        exp: The experiment.
        rnd: The round that is evaluated.
        labels: The classes of the held-out images that have one.
    """
    if not exp.control or exp.saving is None:
        return {}
    rows: dict[int, list[tuple[SampleId, str]]] = {}
    at: Round | None = rnd
    while at is not None:
        rows[at.number] = [(row.id, row.slot) for row in at.read("query.csv").rows]
        at = at.previous
    if len(labels) < LEAST_IMAGES:
        return {}
    known = exp.training(rnd.pin)
    count = sum(slot == SLOT and id in known for own in rows.values() for id, slot in own)
    if count < LEAST:
        return {}
    random, chosen = equally_many(rows, known, exp.order)
    first = {id: name for id, name in random.items() if id in chosen[0]}
    models = [exp.learner.fit(own, round=rnd.number) for own in (first, random, *chosen)]
    start, drawn, *others = (exp.learner.predict(model, exp.evaluation_ids) for model in models)
    gained = exp.saving(drawn, others, labels)
    saved = exp.saved(start, drawn, others, count, labels) if exp.saved is not None else None
    return {
        **({"control": {"labels": count, **gained}} if gained is not None else {}),
        **({"saved": {"labels": count, **saved}} if saved is not None else {}),
    }
