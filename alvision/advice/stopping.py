"""When to stop: several signs side by side, none of which stops anything by itself.

Only `budget.stop=advice` lets a run end by them (see `loop.run`). How many labels each costs, and
how much of the score, against the best stop in hindsight: docs/advice.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alvision.advice.facts import RoundFacts
from alvision.advice.forecast import fit

ROUNDS = 3
"""Rounds that a sign looks at; with fewer it says nothing."""

SETTLED = 0.95
"""Mean agreement of the last models from which predictions count as settled. arXiv 1409.5165 takes
.99; small held-out parts and dropout heads hardly ever reach that (docs/advice.md)."""

STEADY = 0.01
"""Change of the mean entropy, or of the expected error, over some rounds that counts as none."""

NO_RISE = 0.01
"""A gain of less is no rise: one part in a hundred."""

LEAST_SIGNS = 2
"""Signs of the four that read the rounds alone which must agree: one of them is often early."""


@dataclass(frozen=True)
class Sign:
    """What one criterion says.

    Attributes:
        name: predictions | uncertainty | error | score | value.
        stop: It says stop; None: it cannot say.
    """

    name: str
    stop: bool | None


def signs(
    rounds: Sequence[RoundFacts], *, batch: int, value_of_error: float | None = None
) -> tuple[Sign, ...]:
    """Return what each criterion says after the last of some rounds.

    - predictions: the mean agreement of the last models is at least `SETTLED` (Bloodgood and
      Vijay-Shanker 2009; arXiv 1409.5165).
    - uncertainty: the mean entropy has changed by less than `STEADY` (Zhu, Wang and Hovy 2008).
    - error: so has the error that the model expects of images without a label.
    - score: no round of the last ones has gained `NO_RISE` over the one `ROUNDS` before.
    - value: the next batch costs more answers than what it is expected to gain is worth.

    Args:
        rounds: The finished rounds.
        batch: Answers of the next round.
        value_of_error: Answers that one percentage point of the metric is worth; None: not known.
    """
    last = rounds[-ROUNDS:]
    enough = len(rounds) > ROUNDS
    agreements = [one.agreement for one in last if one.agreement is not None]
    settled = sum(agreements) / ROUNDS >= SETTLED if len(agreements) == ROUNDS else None
    return (
        Sign("predictions", settled),
        Sign("uncertainty", _steady([one.uncertainty for one in rounds[-ROUNDS - 1 :]], enough)),
        Sign("error", _steady([one.expected_error for one in rounds[-ROUNDS - 1 :]], enough)),
        Sign("score", _no_rise(rounds)),
        Sign("value", _costs_more(rounds, batch, value_of_error)),
    )


def stop_here(found: Sequence[Sign]) -> bool:
    """Tell whether to stop: cost against value where that is known, else by `LEAST_SIGNS`.

    The score must not rise in either case: no sign outweighs labels that still pay.
    """
    by_name = {sign.name: sign.stop for sign in found}
    if not by_name["score"]:
        return False
    if by_name["value"] is not None:
        return by_name["value"]
    return sum(bool(sign.stop) for sign in found) >= LEAST_SIGNS


def _steady(values: Sequence[float | None], enough: bool) -> bool | None:
    known = [value for value in values if value is not None]
    if not enough or len(known) < len(values):
        return None
    return max(known) - min(known) < STEADY


def _no_rise(rounds: Sequence[RoundFacts]) -> bool | None:
    """Tell whether none of the last two rounds has gained over the one `ROUNDS` before it."""
    recent = [one.gains[:ROUNDS] for one in rounds[-2:]]
    if len(recent) < 2 or any(len(gains) < ROUNDS for gains in recent):
        return None
    return all(gains[-1].value < NO_RISE for gains in recent)


def _costs_more(
    rounds: Sequence[RoundFacts], batch: int, value_of_error: float | None
) -> bool | None:
    if value_of_error is None:
        return None
    known = [(one.labels, one.value) for one in rounds if one.value is not None and one.labels]
    curves = fit(tuple(n for n, _ in known), tuple(value for _, value in known))
    return None if curves is None else 100 * curves.gain(batch).value * value_of_error < batch
