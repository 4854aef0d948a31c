"""The oracle that knows: a labelled data set answers in place of people."""

from __future__ import annotations

from collections.abc import Mapping

from alvision.errors import UserError
from alvision.records import Answer, Query, SampleId, answer_uuid

_BY = "simulated"


class SimulatedOracle:
    """Answer every row of a query with the truth, at once and always alike.

    Args:
        truth: The class of each image, by name.
        run: Name of the run; part of every answer's uuid.
    """

    def __init__(self, truth: Mapping[SampleId, str], run: str) -> None:
        self._truth = truth
        self._run = run

    def __call__(self, query: Query) -> list[Answer]:
        """Answer a query in rank order.

        Raises:
            UserError: The data set does not know the class of an image that is asked for.
        """
        unknown = [id for id in query.ids if not self._truth.get(id)]
        if unknown:
            raise UserError(
                f"oracle=simulated: the data holds no class for {len(unknown)} of"
                f" {len(query.rows)} images (first: {unknown[0]}):"
                " add their labels or use oracle=files"
            )
        return [self._answer(id, query.round) for id in query.ids]

    def _answer(self, id: SampleId, round: int) -> Answer:
        label = self._truth[id]
        uuid = answer_uuid(self._run, round, id, _BY, "label", label)
        return Answer(id, "label", label, _BY, round, uuid)
