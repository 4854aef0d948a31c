"""What to say of a run, the most useful sentence first.

A sentence never claims what its interval denies: "rising" only where all of the interval is above
zero, "flat" only where no part of it is a gain worth a label. The tests hold that for any facts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from alvision.advice.facts import Facts, Gain, RoundFacts, Share
from alvision.advice.forecast import fit
from alvision.advice.pays import pays
from alvision.advice.stopping import NO_RISE, signs, stop_here
from alvision.advice.wording import Sentence, figure, hundred, signed
from alvision.evaluation.audit import LEAST_IMAGES

LOOK_BACK = 3
"""Rounds that a trend is told by: over one round chance is larger than what a batch brings."""

FLAT = 0.02
"""A gain of less is not worth a batch of labels: two in a hundred parts."""

FLAT_ROUNDS = 2
"""Rounds without a gain before a curve is called flat."""

_DIGIT = 0.0005
"""Half of the last digit that is written: an end that is written as 0 is not above 0."""


def advise(facts: Facts) -> tuple[Sentence, ...]:
    """Return all that is to be said of a run, the most useful first; at least one sentence."""
    return tuple(_said(facts)) or (Sentence("advice.go_on"),)


def _said(facts: Facts) -> Iterator[Sentence]:
    if facts.left == 0 and not facts.learning:
        yield Sentence("advice.done", {"n": facts.labels})
    elif facts.last is None:
        first, then = (next_step, pays) if facts.labels else (pays, next_step)
        yield from (*first(facts), *then(facts))
    elif not facts.choosing:
        yield from (*next_step(facts), *quality(facts))
    else:
        seen = tuple(trend(facts))
        rising = any(sentence.key == "advice.rising" for sentence in seen)
        stop = () if rising else tuple(stopping(facts))
        yield from (*stop, *seen, *quality(facts))
        yield from (*control(facts), *ahead(facts), *next_step(facts))


def next_step(facts: Facts) -> Iterator[Sentence]:
    """Say what the next answers lead to."""
    if facts.learning or (facts.last is None and facts.labels and facts.to_learn == 0):
        yield Sentence("advice.learning")
    elif facts.classes is not None and len(facts.classes) == 1 and facts.last is not None:
        ((name, count),) = facts.classes.items()
        yield Sentence("advice.one_class", {"n": count, "name": name})
    elif facts.to_learn:
        key = "advice.next" if facts.choosing else "advice.first"
        yield Sentence(key, {"n": facts.to_learn})
    elif facts.last is None:
        yield Sentence("advice.begin")


def quality(facts: Facts) -> Iterator[Sentence]:
    """Say how good the model is and on how many images that is known, or what it takes to say."""
    last = facts.last
    if last is None:
        return  # there is no model yet
    if facts.people and last.no_bad and last.images >= LEAST_IMAGES:
        yield Sentence("advice.shop.no_bad", {"n": last.images})
        if last.stopped is not None:
            yield Sentence("advice.shop.stopped", _hundreds("stopped", last.stopped))
    elif facts.people and last.value is None:
        yield from _too_few(facts, last)
    elif last.value is not None:
        if last.missed is not None and last.stopped is not None:
            yield _shop(last.missed, last.stopped)
        elif last.low is not None and last.high is not None:
            values = {"value": figure(last.value), "low": figure(last.low)}
            values |= {"high": figure(last.high), "metric": facts.metric}
            yield Sentence("advice.good", {"n": last.images, **values})
    if facts.unlabelled is not None and facts.unlabelled.images >= LEAST_IMAGES:
        checked = _hundreds("wrong", facts.unlabelled)
        yield Sentence("advice.unlabelled", {"audited": facts.audited, **checked})


def trend(facts: Facts) -> Iterator[Sentence]:
    """Say whether labels still pay: what the last of them brought."""
    last = facts.last
    if last is None or not last.gains:
        return
    recent = last.gains[:LOOK_BACK][-1]
    flat = _flat(last)
    if recent.low >= _DIGIT:
        yield Sentence("advice.rising", _gained(recent))
    elif recent.high <= -_DIGIT:
        yield Sentence("advice.falling", _gained(recent))
    elif flat is not None and flat.high < FLAT:
        yield Sentence("advice.flat", _gained(flat))
    else:
        kind = "flat_unsure" if flat is not None else "unclear"
        who = "people" if facts.people else "simulated"
        yield Sentence(f"advice.{kind}.{who}", _gained(flat or recent))


def stopping(facts: Facts) -> Iterator[Sentence]:
    """Say that it is time to stop, and by which signs; nothing where it is not."""
    found = signs(facts.rounds, batch=facts.batch, value_of_error=facts.value_of_error)
    if not stop_here(found):
        return
    agreed = [sign for sign in found if sign.stop]
    known = [sign for sign in found if sign.stop is not None]
    yield Sentence("advice.stop", {"n": len(agreed), "of": len(known)})
    for sign in agreed:
        yield Sentence(f"advice.sign.{sign.name}")


def ahead(facts: Facts) -> Iterator[Sentence]:
    """Say what the next labels may bring and when a target is reached, by the curve until now."""
    known = [
        (one.labels, one.value) for one in facts.rounds if one.value is not None and one.labels
    ]
    curves = fit(tuple(n for n, _ in known), tuple(value for _, value in known))
    last = facts.last
    if curves is None or last is None or (last.gains and last.gains[:LOOK_BACK][-1].high < 0):
        return  # curves only rise: they know nothing of one that falls
    more = curves.gain(facts.batch)
    values: dict[str, int | str] = {
        "gain": signed(more.value),
        "low": signed(more.low),
        "high": signed(more.high),
    }
    yield Sentence("advice.ahead", {"n": facts.batch, **values})
    if facts.target is None or (last.value or 0) >= facts.target:
        return
    named = {"metric": facts.metric, "target": f"{facts.target:g}"}
    needed = curves.labels_to(facts.target)
    if needed is None:
        yield Sentence("advice.target.unlikely", named)
        return
    low, high = math.floor(needed.low), math.ceil(needed.high)
    yield Sentence("advice.target", {**named, "n": round(needed.value), "low": low, "high": high})


def control(facts: Facts) -> Iterator[Sentence]:
    """Say what choosing has saved, by the images that were drawn at random (`oracle.control`)."""
    found = facts.last.control if facts.last else None
    if found is None:
        return
    kind = "saves" if found.low >= _DIGIT else "loses" if found.high <= -_DIGIT else "unclear"
    yield Sentence(f"advice.control.{kind}", _gained(found))
    if facts.last is not None and (saved := facts.last.saved) is not None:
        ends = {"saved": saved.value, "low": saved.low, "high": saved.high}
        values = {name: f"{value:+.0f}".replace("-0", "0") for name, value in ends.items()}
        yield Sentence("advice.control.saved", {"n": saved.labels, **values})


def _flat(last: RoundFacts) -> Gain | None:
    """Return what was gained in all the rounds since which nothing was; None: something was."""
    flat = None
    for rounds, gain in enumerate(last.gains, start=1):
        if gain.value >= NO_RISE or gain.low >= _DIGIT or gain.high <= -_DIGIT:
            break
        flat = gain if rounds >= FLAT_ROUNDS else flat
    return flat


def _too_few(facts: Facts, last: RoundFacts) -> Iterator[Sentence]:
    count = max(facts.audit, last.images)
    if not count:
        yield Sentence("advice.audit.none", {"n": LEAST_IMAGES})
    elif count < LEAST_IMAGES:
        yield Sentence("advice.audit.few", {"n": count, "more": LEAST_IMAGES - count})
    elif last.images == count:
        yield Sentence("advice.audit.one_class", {"n": count})


def _shop(missed: Share, stopped: Share) -> Sentence:
    values = {**_hundreds("missed", missed), **_hundreds("stopped", stopped)}
    return Sentence("advice.shop", values)


def _hundreds(name: str, share: Share) -> dict[str, int | str]:
    """Return the places of a share's text."""
    return {
        name: hundred(share.value),
        f"{name}_low": hundred(share.low),
        f"{name}_high": hundred(share.high),
        f"{name}_images": share.images,
    }


def _gained(gain: Gain) -> dict[str, int | str]:
    ends = {"gain": gain.value, "low": gain.low, "high": gain.high}
    return {"n": gain.labels, **{name: signed(value) for name, value in ends.items()}}
