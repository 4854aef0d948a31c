"""The simulated oracle: a labelled data set answers in place of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alvision.core.errors import UserError
from alvision.core.records import Answer, Event, Query, SampleId, answer_uuid

_BY = "simulated"


class SimulatedOracle:
    """Answer every row of a query with the known class, at once and always the same.

    Args:
        answers: The answer for each image: its class, or what a person mistakes it for
            (`oracles.noise`).
        run: Name of the run; part of every answer's uuid.
        seconds: How long an answer takes, by its class; empty: not known.
    """

    def __init__(
        self,
        answers: Mapping[SampleId, str],
        run: str,
        *,
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        self._answers = answers
        self._run = run
        self._seconds = seconds or {}

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
        return [self._answer(id, query.round) for id in query.ids]

    def _answer(self, id: SampleId, round: int) -> Answer:
        label = self._answers[id]
        uuid = answer_uuid(self._run, round, id, _BY, "label", label)
        return Answer(id, "label", label, _BY, round, uuid, self._seconds.get(label))


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
