"""Votes: how many an image needs, when a batch need not wait, what is disputed, who agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from alvision.core.records import Event, SampleId
from alvision.labels.consensus import Settled

# A skip says nothing about the class, so somebody else must still answer.
_VOTES = ("label", "unsure")
# Beyond two more answers people disagree because the class is unclear: it has to be settled.
_MOST_EXTRA = 2


def votes_missing(
    answers: Iterable[Event],
    settled: Settled | None,
    *,
    votes: int,
    prediction: str | None = None,
) -> int:
    """Return how many people must still answer label or unsure on an image.

    It needs `votes` people. With several of them, a tie needs one more to break it, and so does a
    class that the model did not expect: two more at most. A settled dispute needs none.

    Args:
        answers: The answers that count on it, see `consensus.standing`.
        settled: Its class, see `consensus.consensus`.
        votes: `labels.votes`.
        prediction: The class that the model expected before anybody answered.

    >>> ok = Event("a.png", "label", "ok", "me", 0, "1")
    >>> votes_missing([ok], Settled("ok", {"me": "ok"}, False), votes=2)
    1
    """
    if settled and settled.by:
        return 0
    voters = {event.by for event in answers if event.kind in _VOTES}
    wanted = votes
    if votes > 1 and settled and len(voters) >= votes:
        surprise = prediction is not None and prediction != settled.label
        wanted += min(_MOST_EXTRA, surprise + settled.conflict * (len(voters) - votes + 1))
    return max(0, wanted - len(voters))


def row_done(
    answers: Iterable[Event],
    settled: Settled | None,
    *,
    votes: int,
    present: Collection[str],
    prediction: str | None = None,
    again: int | None = None,
) -> bool:
    """Tell whether a batch need not wait for an image any more.

    It has all its answers, or somebody is present and everyone present has answered or skipped it:
    then nobody is there who could add an answer.

    Args:
        answers: The answers that count on it, see `consensus.standing`.
        settled: Its class, see `consensus.consensus`.
        votes: `labels.votes`.
        present: Who is there.
        prediction: The class that the model expected before anybody answered.
        again: The round that asks the image once more; one answer of that round is enough.
    """
    answers = tuple(answers)
    if again is not None:
        answers = tuple(event for event in answers if event.round >= again)
        settled, votes = None, 1
    if not votes_missing(answers, settled, votes=votes, prediction=prediction):
        return True
    answered = {event.by for event in answers if event.kind != "import"}
    return bool(present) and answered.issuperset(present)


def disputed(answers: Iterable[Event], settled: Settled | None) -> bool:
    """Tell whether people disagree about an image, or somebody was unsure and nobody settled it."""
    if settled and settled.by:
        return False
    unsure = any(event.kind == "unsure" for event in answers)
    return unsure or bool(settled and len(set(settled.votes.values())) > 1)


@dataclass(frozen=True)
class Agreement:
    """Compare one person with the consensus.

    Attributes:
        images: Images that the person and somebody else gave a class, without ties.
        agreed: Those of them where the person's class is that of the consensus.
        confusion: How often the consensus was the first class and the person chose the second.
    """

    images: int
    agreed: int
    confusion: dict[tuple[str, str], int]


def agreement(settled: Mapping[SampleId, Settled]) -> dict[str, Agreement]:
    """Compare everybody with the consensus, see `consensus.consensus`.

    A person's own vote is part of the consensus, so between two people only settled disputes count
    against one of them; a tie blames nobody.

    >>> agreement({"a.png": Settled("ok", {"me": "ok", "you": "ok"}, False)})["me"].agreed
    1
    """
    found: dict[str, Counter[tuple[str, str]]] = {}
    for image in settled.values():
        if image.conflict or (len(image.votes) < 2 and not image.by):
            continue
        for by, vote in image.votes.items():
            found.setdefault(by, Counter())[image.label, vote] += 1
    return {
        by: Agreement(
            images=pairs.total(),
            agreed=sum(count for (label, vote), count in pairs.items() if label == vote),
            confusion=dict(pairs),
        )
        for by, pairs in sorted(found.items())
    }
