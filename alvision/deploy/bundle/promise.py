"""The promise of a threshold in words: the same sentences on every page and in the terminal.

A limit is rounded to its careful side, because "at most 0 of 100" would be false.
"""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Decimal

from alvision.deploy.bundle.thresholds import ClassPromise, Thresholds
from alvision.evaluation.intervals import share_interval


def catches(thresholds: Thresholds) -> str:
    """Return the promise in short, without a full stop.

    >>> catches(Thresholds(0.5, 0.5, escape=0.02, confidence=0.95))
    'Catches at least 98 of 100 bad parts, 95 % sure'
    """
    if thresholds.contradicted:
        return (
            f"{len(thresholds.escaped)} of the {thresholds.defects} sealed bad parts pass, more "
            f"than the {100 * thresholds.escape:g} of 100 that were promised (set the threshold "
            "again with alvision threshold)"
        )
    caught, sure = 100 * (1 - thresholds.escape), percent_sure(thresholds.confidence)
    if thresholds.of_good:
        return f"{spares(thresholds)}; {_passing(thresholds)}"
    of_lots = ", each lot counting alike" if _lots_count_alike(thresholds) else ""
    return f"Catches at least {caught:g} of 100 bad parts{of_lots}, {sure} % sure"


def spares(thresholds: Thresholds) -> str:
    """Return a promise about good parts in short, without a full stop.

    >>> from alvision.deploy.bundle.thresholds import Overkill
    >>> spares(Thresholds(0.5, 0.5, confidence=0.95, overkill=Overkill(0.01, 0.02), of_good=True))
    'Stops at most 2 of 100 good parts, 95 % sure'
    """
    most, sure = 100 * thresholds.overkill.at_most, percent_sure(thresholds.confidence)
    return f"Stops at most {most:g} of 100 good parts, {sure} % sure"


def promise(thresholds: Thresholds) -> str:
    """Return the promise of a threshold as sentences.

    >>> from alvision.deploy.bundle.thresholds import Overkill, SealedLots
    >>> print(promise(Thresholds(0.5, 0.5, escape=0.02, confidence=0.95, spent_confidence=0.95,
    ...     defects=230, independent_defects=200, lots=SealedLots(120, 3), good=50,
    ...     overkill=Overkill(0.04, 0.12), escaped=("f00d",))))
    Catches at least 98 of 100 bad parts, 95 % sure; about 4 of 100 good ones are stopped with \
them, at most 12, 95 % sure. Proven on 200 independent sealed defects, drawn from 230 of 120 lots, \
for lots with at most 3 defects; 1 of all 230 sealed defects passes.
    """
    text, overkill = catches(thresholds), thresholds.overkill
    if thresholds.of_good:
        return f"{text}. {evidence(thresholds)}"
    if overkill.seen is None:
        text += "; how many good ones are stopped is not known, because no good part is sealed"
    else:
        text += (
            f"; about {percent_seen(overkill.seen)} of 100 good ones are stopped with them, at "
            f"most {percent_at_most(overkill.at_most)}, {percent_sure(thresholds.confidence)} % "
            "sure"
        )
    return f"{text}. {evidence(thresholds)}"


def evidence(thresholds: Thresholds) -> str:
    """Return what the promise is proven on, and which lots it is about, as sentences."""
    if thresholds.of_good:
        return _evidence_of_good(thresholds) + _earlier_uses(thresholds) + "."
    text = f"Proven on {thresholds.independent_defects} independent sealed defects"
    lots, defects, escaped = thresholds.lots, thresholds.defects, len(thresholds.escaped)
    if thresholds.independent:
        text += ", each taken for independent of the others, whatever lot it comes from"
    elif lots and lots.largest > 1:
        text += (
            f", drawn from {defects} of {lots.count} lots, for lots with at most {lots.largest} "
            "defects"
        )
    elif lots:
        text += ", no two of one known lot"
    text += f"; {escaped} of all {defects} sealed defects pass{'es' if escaped == 1 else ''}"
    return text + _earlier_uses(thresholds) + "."


def _evidence_of_good(thresholds: Thresholds) -> str:
    text = f"Proven on {thresholds.good} independent sealed good parts"
    stopped, escaped = len(thresholds.overkilled), len(thresholds.escaped)
    text += f"; {stopped} of all sealed good parts {'is' if stopped == 1 else 'are'} stopped"
    if not thresholds.defects:
        return text
    return (
        f"{text}, and {escaped} of all {thresholds.defects} sealed defects "
        f"pass{'es' if escaped == 1 else ''}"
    )


def _passing(thresholds: Thresholds) -> str:
    """Return what is known of the defects that pass, where the promise is about good parts."""
    if not thresholds.defects:
        return "how many bad ones pass is not known, because no bad part is sealed"
    sure = percent_sure(thresholds.confidence)
    return f"at most {percent_at_most(thresholds.escape)} of 100 bad ones pass, {sure} % sure"


def _earlier_uses(thresholds: Thresholds) -> str:
    text = ""
    if thresholds.spent_confidence > thresholds.confidence:
        earlier = thresholds.reading - 1
        text += (
            f". The sealed images were used {earlier} time{'s' if earlier > 1 else ''} before, so "
            f"this use had to prove it with {percent_sure(thresholds.spent_confidence)} % "
            "confidence"
        )
        joint = thresholds.joint_confidence
        if joint is not None and joint < thresholds.confidence:
            sure = math.floor(round(1000 * joint, 6)) / 10
            text += f"; all promises that were made on them hold together with {sure:g} %"
    return text


def for_person(thresholds: Thresholds) -> str:
    """Return how many parts a person looks at, without a full stop.

    >>> for_person(Thresholds(0.5, 0.7, human=0.104, defect_share=0.012))
    'about 10 in 100 parts, on a line with 1.2 % bad ones'
    """
    share = thresholds.defect_share
    # Files from before weighed the parts as they lay among the sealed ones.
    line = (
        "among the sealed ones" if share is None else f"on a line with {100 * share:.3g} % bad ones"
    )
    return f"about {percent_seen(thresholds.human)} in 100 parts, {line}"


def verdicts(thresholds: Thresholds) -> str:
    """Return from which defect score on a part is stopped, and which parts a person sees.

    >>> verdicts(Thresholds(0.5, 0.7, human=0.1, defect_share=0.01))
    'pass below 0.5000, reject from 0.7000, a person looks between them (about 10 in 100 parts, \
on a line with 1 % bad ones)'
    >>> verdicts(Thresholds(0.5, 2.0, human=0.1, defect_share=0.01))
    'pass below 0.5000, a person looks at all other parts (about 10 in 100 parts, on a line with \
1 % bad ones)'
    """
    low, person = cutoff(thresholds.low), for_person(thresholds)
    if thresholds.low == thresholds.high:
        asked = thresholds.defect_share is not None
        return f"reject from {low}" + (f", a person looks at {person}" if asked else "")
    if not thresholds.rejects:
        return f"pass below {low}, a person looks at all other parts ({person})"
    high = cutoff(thresholds.high)
    return f"pass below {low}, reject from {high}, a person looks between them ({person})"


def cutoff(score: float) -> str:
    """Return a threshold, rounded down, with as many digits as keep it apart from 0 and 1.

    >>> cutoff(0.5), cutoff(0.99999987), cutoff(5.27e-24)
    ('0.5000', '0.9999998', '5.2e-24')
    """
    # By its decimal form: 0.7 is a little less than 0.7 as a binary number.
    exact = Decimal(repr(score))
    if 0 < score < 1e-4:
        return f"{exact.quantize(Decimal(1).scaleb(exact.adjusted() - 1), ROUND_DOWN):e}"
    digits = max(4, math.ceil(-math.log10(1 - score))) if score < 1 else 4
    return f"{exact.quantize(Decimal(1).scaleb(-digits), ROUND_DOWN):f}"


def for_class(own: ClassPromise) -> str:
    """Tell whether the promise is proven for one class of defects by itself.

    >>> for_class(ClassPromise(60, False, 0))
    'not proven for it alone (60 independent sealed ones)'
    """
    if own.holds is None:
        return (
            f"too few for a promise of its own, {own.defects} independent sealed ones and "
            f"{own.needed} needed"
        )
    proven = "proven for it alone too" if own.holds else "not proven for it alone"
    return f"{proven} ({own.defects} independent sealed ones)"


def percent_at_most(share: float) -> int:
    """Return a limit in whole percent, rounded up.

    >>> percent_at_most(0.002), percent_at_most(0.12), percent_at_most(0.0)
    (1, 12, 0)
    """
    return math.ceil(round(100 * share, 9))


def percent_seen(share: float) -> str:
    """Return a share that was seen, in whole percent; 0 and 100 are said of none and all only.

    >>> percent_seen(0.104), percent_seen(0.0), percent_seen(0.00416), percent_seen(0.9975)
    ('10', '0', '0.42', '99.75')
    """
    percent = 100 * share
    if percent < 0.5:
        return f"{percent:.2g}"
    if 99.5 <= percent < 100:
        return f"{100 - float(f'{100 - percent:.2g}'):g}"
    return f"{percent:.0f}"


def percent_sure(confidence: float) -> str:
    """Return a confidence in percent, rounded down: what is not certain is never 100 %.

    >>> percent_sure(0.95), percent_sure(1 - 0.05 / 2**5), percent_sure(1 - 0.05 / 2**20)
    ('95', '99.8437', '99.99999523')
    """
    doubt = 100 * (1 - confidence)
    digits = max(4, 2 - math.floor(math.log10(doubt))) if doubt > 0 else 4
    floor = math.floor(round(100 * confidence * 10**digits, 3)) / 10**digits
    return f"{floor:.{digits}f}".rstrip("0").rstrip(".")


def percent_range(count: int, n: int) -> str:
    """Return the 95 % interval of a share of n independent images, in whole percent.

    >>> percent_range(3, 3), percent_range(0, 200)
    ('29 to 100 %', '0 to 2 %')
    """
    low, high = share_interval(count, n)
    return f"{math.floor(100 * low)} to {percent_at_most(high)} %"


def _lots_count_alike(thresholds: Thresholds) -> bool:
    return thresholds.lots is None and thresholds.independent_defects < thresholds.defects
