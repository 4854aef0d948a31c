"""How many answers an image needs, when a batch need not wait for it, and what is disputed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from alvision.core.records import Event
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
) -> bool:
    """Tell whether a batch need not wait for an image any more.

    It has all its answers, or somebody is present and everyone present has answered or skipped it:
    then nobody is there who could add an answer.
    """
    answers = tuple(answers)
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
