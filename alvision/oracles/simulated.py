"""The simulated oracle: a labelled data set answers in place of people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from alvision.core.errors import UserError
from alvision.core.records import Answer, Event, Query, SampleId, answer_uuid

_BY = "simulated"


class SimulatedOracle:
    """Answer every row of a query with the known class, at once and always the same.

    An image that is asked again is answered by another person.

    Args:
        answers: The answer for each image: its class, or what a person mistakes it for
            (`oracles.noise`).
        run: Name of the run; part of every answer's uuid.
        seconds: How long an answer takes, by its class; empty: not known.
        again: Returns the answer of the second person and of those after; None: as the first.
        given: Returns how many answers an image had before a round; None: nothing is asked again.
    """

    def __init__(
        self,
        answers: Mapping[SampleId, str],
        run: str,
        *,
        seconds: Mapping[str, float] | None = None,
        again: Callable[[SampleId, int], str] | None = None,
        given: Callable[[int], Mapping[SampleId, int]] | None = None,
    ) -> None:
        self._answers = answers
        self._run = run
        self._seconds = seconds or {}
        self._again = again or (lambda id, nth: answers[id])
        self._given = given or (lambda round: {})

    def __call__(self, query: Query) -> list[Answer]:
        """Answer a query in rank order.

        Raises:
            UserError: The data set holds no class for an image that is asked for.
        """
        unknown = [id for id in query.ids if not self._answers.get(id)]
        if unknown:
            raise UserError(
                f"oracle=simulated: the data holds no class for {len(unknown)} of"
                f" {len(query.rows)} images (first: {unknown[0]}):"
                " add their labels or use oracle=files"
            )
        given = self._given(query.round)
        return [self._answer(id, query.round, 1 + given.get(id, 0)) for id in query.ids]

    def _answer(self, id: SampleId, round: int, nth: int) -> Answer:
        by = _BY if nth == 1 else f"{_BY}-{nth}"
        label = self._answers[id] if nth == 1 else self._again(id, nth)
        uuid = answer_uuid(self._run, round, id, by, "label", label)
        return Answer(id, "label", label, by, round, uuid, self._seconds.get(label))


def known_beforehand(
    ids: Iterable[SampleId], truth: Mapping[SampleId, str], run: str
) -> list[Event]:
    """Return the labels that a run starts with, as imports, because nobody was asked for them."""
    return [
        Event(
            id=id,
            kind="import",
            label=truth[id],
            by=_BY,
            round=0,
            uuid=answer_uuid(run, 0, id, _BY, "import", truth[id]),
        )
        for id in ids
    ]
