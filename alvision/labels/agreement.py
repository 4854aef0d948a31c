"""How often each person says what the consensus says, and which classes they take for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from alvision.core.records import SampleId
from alvision.labels.consensus import Settled


@dataclass(frozen=True)
class Agreement:
    """One person against the consensus.

    Attributes:
        images: Images that the person and somebody else named a class of, and that are no tie.
        agreed: Those of them where the person said what the consensus says.
        confusion: How often the consensus was the first class and the person said the second.
    """

    images: int
    agreed: int
    confusion: dict[tuple[str, str], int]


def agreement(settled: Mapping[SampleId, Settled]) -> dict[str, Agreement]:
    """Compare everybody with the consensus, see `consensus.consensus`.

    A person's own vote is part of the consensus, so with two people only settled disputes tell them
    apart: a tie blames nobody.

    >>> agreement({"a.png": Settled("ok", {"me": "ok", "you": "ok"}, False)})["me"].agreed
    1
    """
    found: dict[str, Counter[tuple[str, str]]] = {}
    for image in settled.values():
        if image.conflict or (len(image.votes) < 2 and not image.by):
            continue
        for by, said in image.votes.items():
            found.setdefault(by, Counter())[image.label, said] += 1
    return {
        by: Agreement(
            images=pairs.total(),
            agreed=sum(count for (truth, said), count in pairs.items() if truth == said),
            confusion=dict(pairs),
        )
        for by, pairs in sorted(found.items())
    }
