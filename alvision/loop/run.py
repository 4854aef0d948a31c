"""Active learning on one screen: ask, answer, fit, predict, evaluate; every step a file."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from alvision.advice.facts import SIGNALS
from alvision.advice.signals import ROUNDS_BACK
from alvision.core.records import Answers, Query
from alvision.core.rounds import Round
from alvision.evaluation.audit import AUDIT
from alvision.loop.audit import audited
from alvision.loop.cold_start import decide
from alvision.loop.control import compare
from alvision.loop.experiment import Experiment, Metrics
from alvision.loop.propose import propose


def run(exp: Experiment) -> list[Metrics]:
    """Run or resume an experiment and return its metrics, round by round.

    Raises:
        AwaitingLabels: People have not answered yet; running again goes on from there.
    """
    if done := exp.finished:
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


def answer(exp: Experiment, query: Query, rnd: Round) -> Answers:
    """Ask the oracle and record its answers, with every event that came in meanwhile."""
    answers = exp.oracle(query)
    return exp.labels.append(answers, since=rnd.previous_pin, hash_of=exp.hashes.get)


def fit(exp: Experiment, rnd: Round) -> Any:
    """Train a fresh model on the labels known at a round's pin."""
    return exp.learner.fit(exp.training(rnd.pin), round=rnd.number)


def evaluate(exp: Experiment, rnd: Round) -> Metrics:
    """Return a round's metrics, by the labels known at its pin."""
    predictions = rnd.read("predictions.parquet")
    events = exp.labels.events(upto=rnd.pin)
    held_out = exp.truth if exp.truth is not None else exp.known(rnd.pin)
    known = {i: held_out[i] for i in predictions.ids if i in held_out}
    model = rnd.previous.read("model.ckpt") if rnd.previous else None
    reason = decide(exp, rnd, model).reason
    answers = [event for event in events if event.kind in ("label", "skip", "unsure")]
    seconds = [event.seconds for event in answers if event.seconds is not None]
    return {
        "round": rnd.number,
        **({"cold_start": reason} if reason else {}),
        "labels": len(exp.training(rnd.pin)),
        "answers": len(answers),
        **({"seconds": math.fsum(seconds)} if seconds else {}),
        **exp.evaluate(predictions, known),
        **({AUDIT: rates} if (rates := audited(exp, predictions, known, events)) else {}),
        "pool": len(exp.candidates),
        **compare(exp, rnd, known),
        **({SIGNALS: exp.signals(predictions, known, earlier(rnd))} if exp.signals else {}),
    }


def earlier(rnd: Round) -> list[tuple[int, Any]]:
    """Return the rounds that a round is compared with: labels and predictions, the latest first."""
    found: list[tuple[int, Any]] = []
    before = rnd.previous
    while before is not None and len(found) < ROUNDS_BACK:
        found.append((before.read("metrics.json")["labels"], before.read("predictions.parquet")))
        before = before.previous
    return found


def stop(exp: Experiment, rnd: Round) -> bool:
    """Tell whether a round that has not begun has nothing to do; round 0 always has."""
    if rnd.number == 0:
        return False
    if advised_to_stop(exp):
        return True
    return not exp.pool() and not exp.labels.events(since=rnd.previous_pin)


def advised_to_stop(exp: Experiment) -> bool:
    """Tell whether the finished rounds say that more labels do not pay (`budget.stop`)."""
    return exp.stop_when is not None and exp.stop_when(history(exp))


def history(exp: Experiment) -> list[Metrics]:
    """Return the metrics of the finished rounds."""
    return [rnd.read("metrics.json") for rnd in exp.finished]


def differs_from_budget(exp: Experiment) -> str | None:
    """Say in a line why a run has other rounds than its budget asks for; None if it has not."""
    asked, last = exp.budget.rounds, len(exp.finished) - 1
    if last == asked:
        return None
    if last > asked:
        return (
            f"budget.rounds={asked} is fewer than the {last} rounds that this run has already; "
            "all of them are kept"
        )
    if exp.pool() and advised_to_stop(exp):
        return (
            f"stopped after round {last} of {asked}: the signs say that more labels do not pay "
            "(budget.stop=advice; budget.stop=null goes on)"
        )
    return (
        f"the pool is empty after round {last} of {asked}: every image that can be read has an "
        "answer, so the remaining rounds had nothing to ask for"
    )
