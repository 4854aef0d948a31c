"""Active learning on one screen: ask, answer, fit, predict, evaluate; every step a file."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from alvision.core.records import Answers, Query
from alvision.core.rounds import Round
from alvision.loop.cold_start import start
from alvision.loop.experiment import Experiment, Metrics
from alvision.loop.propose import AUDIT_SHARE, RELABEL_SHARE, again, audit, choose, mixed


def run(exp: Experiment) -> list[Metrics]:
    """Run or resume an experiment and return its metrics, round by round.

    Raises:
        AwaitingLabels: People have not answered yet; running again goes on from there.
    """
    if done := [rnd for rnd in exp.rounds if rnd.done]:
        exp.publish(done[-1])  # a kill may have come between its metrics and this
    for rnd in exp.rounds:
        if rnd.done:
            continue
        if rnd.new and stop(exp, rnd):
            break
        query = rnd.once("query.csv", partial(propose, exp, rnd))
        rnd.once("answers.csv", partial(answer, exp, query, rnd))
        model = rnd.once("model.ckpt", partial(fit, exp, rnd))
        rnd.once("predictions.parquet", partial(exp.learner.predict, model, exp.evaluation_ids))
        rnd.once("metrics.json", partial(evaluate, exp, rnd))
        exp.publish(rnd)
    return history(exp)


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
    rows, rest = choose(exp, rnd, model, pool, known, n)
    audits = audit(exp, len(rows), exp.budget.audit + exp.spare // AUDIT_SHARE)
    if exp.spare:
        more = audits[exp.budget.audit :]
        repeats = again(exp, rnd, known)
        spare = mixed((rest, 1), (more, AUDIT_SHARE), (repeats, RELABEL_SHARE // 2))
        rnd.once("ranking.csv", partial(Query, rnd.number, spare))
    return Query(rnd.number, (*rows, *audits[: exp.budget.audit]))


def answer(exp: Experiment, query: Query, rnd: Round) -> Answers:
    """Ask the oracle and record what it says, with all that came in beside it."""
    answers = exp.oracle(query)
    return exp.labels.append(answers, since=rnd.previous_pin, hash_of=exp.hashes.get)


def fit(exp: Experiment, rnd: Round) -> Any:
    """Train a fresh model on the labels known at a round's pin."""
    return exp.learner.fit(exp.training(rnd.pin), round=rnd.number)


def evaluate(exp: Experiment, rnd: Round) -> Metrics:
    """Judge a round by the labels known at its pin."""
    predictions = rnd.read("predictions.parquet")
    events = exp.labels.events(upto=rnd.pin)
    held_out = exp.truth if exp.truth is not None else exp.known(rnd.pin)
    model = rnd.previous.read("model.ckpt") if rnd.previous else None
    note = start(exp, rnd, model).note
    answers = [event for event in events if event.kind in ("label", "skip", "unsure")]
    seconds = [event.seconds for event in answers if event.seconds is not None]
    return {
        "round": rnd.number,
        **({"cold_start": note} if note else {}),
        "labels": len(exp.training(rnd.pin)),
        "answers": len(answers),
        **({"seconds": math.fsum(seconds)} if seconds else {}),
        **exp.judge(predictions, {i: held_out[i] for i in predictions.ids if i in held_out}),
    }


def stop(exp: Experiment, rnd: Round) -> bool:
    """Tell whether a round that has not begun is not worth beginning; round 0 always is."""
    if rnd.number == 0:
        return False
    return not exp.pool() and not exp.labels.events(since=rnd.previous_pin)


def history(exp: Experiment) -> list[Metrics]:
    """Return the metrics of the finished rounds."""
    return [rnd.read("metrics.json") for rnd in exp.rounds if rnd.done]
