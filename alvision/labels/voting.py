"""How many answers an image needs, who gives the next one, and when its row is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from alvision.core.records import Event, SampleId
from alvision.labels.consensus import Settled

_VOICES = ("label", "unsure")
_MOST_EXTRA = 2


def lacking(
    words: Iterable[Event],
    settled: Settled | None,
    *,
    votes: int,
    prediction: str | None = None,
) -> int:
    """Return how many people must still say label or unsure about an image.

    It needs `votes` voices. Where several are asked anyway, a tie needs one more to break it, and
    so does a class that the model did not expect: two more at most. A settled dispute needs none.

    Args:
        words: What stands on the image, see `consensus.standing`.
        settled: Its class, see `consensus.consensus`.
        votes: `labels.votes`.
        prediction: What the model expected before anybody answered.

    >>> ok = Event("a.png", "label", "ok", "me", 0, "1")
    >>> lacking([ok], Settled("ok", {"me": "ok"}, False), votes=2)
    1
    """
    if settled and settled.by:
        return 0
    voices = {event.by for event in words if event.kind in _VOICES}
    wanted = votes
    if votes > 1 and settled and len(voices) >= votes:
        surprise = prediction is not None and prediction != settled.label
        wanted += min(_MOST_EXTRA, surprise + settled.conflict * (len(voices) - votes + 1))
    return max(0, wanted - len(voices))


def row_done(
    words: Iterable[Event],
    settled: Settled | None,
    *,
    votes: int,
    present: Collection[str],
    prediction: str | None = None,
) -> bool:
    """Tell whether a batch need not wait for an image any more.

    It has all its answers, or somebody is present and everyone present has spoken on it, with a
    skip too: then nobody is there who could say more.
    """
    words = tuple(words)
    if not lacking(words, settled, votes=votes, prediction=prediction):
        return True
    spoken = {event.by for event in words if event.kind != "import"}
    return bool(present) and spoken.issuperset(present)


def disputed(words: Iterable[Event], settled: Settled | None) -> bool:
    """Tell whether people disagree about an image, or somebody was unsure and nobody settled it."""
    if settled and settled.by:
        return False
    unsure = any(event.kind == "unsure" for event in words)
    return unsure or bool(settled and len(set(settled.votes.values())) > 1)


def for_person(
    by: str,
    wanted: Iterable[SampleId],
    words: Mapping[SampleId, tuple[Event, ...]],
    settled: Mapping[SampleId, Settled],
    *,
    experts: Collection[str] = (),
    here: Collection[str] = (),
) -> list[SampleId]:
    """Order the images that one person may be asked for.

    What they have spoken on is left out. Unsure and disputed images come first for an expert; for
    everybody else they come last while an expert is here, for the experts are to see them first.

    Args:
        by: The person.
        wanted: Images that lack answers, in the order of their worth.
        words: What stands on each image.
        settled: Their classes.
        experts: `labels.experts`.
        here: Who is present.
    """
    open_ = [
        id
        for id in wanted
        if not any(event.by == by and event.kind != "import" for event in words.get(id, ()))
    ]
    expert = by in experts
    if not expert and not set(experts) & set(here):
        return open_
    hard = {id for id in open_ if disputed(words.get(id, ()), settled.get(id))}
    return sorted(open_, key=lambda id: (id in hard) != expert)
