"""Simulated people who make mistakes, at rates that the configuration states."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alvision.core.errors import UserError
from alvision.core.records import SampleId

Chances = Mapping[str, float]
"""The probability of each wrong answer; the rest to 1 is that of the truth."""


def noisy_answers(
    truth: Mapping[SampleId, str],
    chances: Callable[[SampleId, str], Chances],
    *,
    seed: int,
    nth: int = 1,
) -> dict[SampleId, str]:
    """Draw the answer for each image; it depends on the seed, the id and its number alone.

    So all strategies of one seed get the same answers. The second answer to an image is that of
    another person: a draw of its own, with the same chances.

    Args:
        truth: The class of each image.
        chances: Returns the probabilities of an image's answers, by its id and class.
        seed: The run's seed.
        nth: The how many-th answer to each image, from 1.

    >>> noisy_answers({"a.png": "ok", "b.png": "ok"}, lambda id, label: {"worn": 0.5}, seed=1)
    {'a.png': 'worn', 'b.png': 'ok'}
    """
    answers = {}
    for id, label in truth.items():
        left = _uniform(seed, id, nth)
        answers[id] = label
        for answer, probability in sorted(chances(id, label).items()):
            if left < probability:
                answers[id] = answer
                break
            left -= probability
    return answers


def confused(confusion: Mapping[str, Any], classes: Sequence[str]) -> Callable[..., Chances]:
    """Return the chances of a person who mistakes one class for another at given rates.

    Raises:
        UserError: An unknown class, or rates that are not probabilities.
    """
    for label, rates in confusion.items():
        wrong = f"oracle.confusion of {label!r}"
        if not isinstance(rates, Mapping) or label not in classes:
            raise UserError(f"{wrong} must read {{class: {{other class: rate}}}} with {classes}")
        for other, rate in rates.items():
            if other not in classes or other == label:
                raise UserError(f"{wrong} names {other!r}, which is not another class of {classes}")
            if not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise UserError(f"{wrong}: the rate {rate} must be in 0..1")
        if sum(rates.values()) > 1:
            raise UserError(f"{wrong}: the rates sum to {sum(rates.values()):g}, above 1")
    return lambda id, label: confusion.get(label, {})


def graded(
    ids: Sequence[SampleId], grades: Sequence[Mapping[str, float] | None]
) -> Callable[..., Chances]:
    """Return the chances of a person who answers each class as often as the data's graders did.

    Raises:
        UserError: The data has none.
    """
    known = {id: grade for id, grade in zip(ids, grades, strict=True) if grade is not None}
    if not known:
        raise UserError("oracle.graded=true needs data with graded opinions, such as data=elpv")
    return lambda id, label: known.get(id, {})


def costs(seconds: Any, classes: Sequence[str]) -> dict[str, float]:
    """Return the seconds that an answer of each class takes; empty where they are not known.

    Raises:
        UserError: They are neither a number nor one for each class, or not positive.

    >>> costs(3, ["ok", "worn"])
    {'ok': 3.0, 'worn': 3.0}
    """
    if seconds is None:
        return {}
    by_class = seconds if isinstance(seconds, Mapping) else dict.fromkeys(classes, seconds)
    if set(by_class) != set(classes) or not all(
        type(value) in (int, float) and 0 < value < float("inf") for value in by_class.values()
    ):
        raise UserError(
            f"oracle.seconds={seconds} must be a number above 0, or one for each of {classes}"
        )
    return {name: float(by_class[name]) for name in classes}


def _uniform(seed: int, id: SampleId, nth: int) -> float:
    text = f"{seed}\x1f{id}" + (f"\x1f{nth}" if nth > 1 else "")  # the first as it always was
    digest = hashlib.blake2b(text.encode(), digest_size=6, person=b"answer").digest()
    return int.from_bytes(digest, "big") / 2**48
