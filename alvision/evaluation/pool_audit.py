"""Audit what a model calls the images that nobody has labelled: a fixed set, drawn by doubt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alvision.evaluation.audit_rates import AuditRate, audit_rates
from alvision.evaluation.draws import Draw, draw, draws_of, uniform_share
from alvision.evaluation.probabilities import ClassProbabilities


@dataclass(frozen=True, eq=False)
class PoolAudit:
    """An audit as far as it is answered.

    Attributes:
        calls: What the model says of the whole set; it was written before the first answer.
        drawn: The images that were drawn from it, in that order.
        labels: The class that people give an image.
        unknown: Images that people were unsure of or skipped.
        defects: The classes that are defects.
    """

    calls: ClassProbabilities
    drawn: Sequence[Draw]
    labels: Mapping[str, str]
    unknown: Collection[str] = ()
    defects: Collection[str] = ()

    @property
    def open(self) -> list[str]:
        """Return the drawn images that nobody has answered."""
        answered = {*self.labels, *self.unknown}
        return [one.id for one in self.drawn if one.id not in answered]

    @property
    def rates(self) -> dict[str, AuditRate]:
        """Return `error`, and with defects also `escape` and `overkill`, see `audit_rates`."""
        return audit_rates(
            [one.id for one in self.drawn],
            draws_of(self.drawn, len(self.calls)),
            self._called,
            {one.id: self.labels[one.id] for one in self.drawn if one.id in self.labels},
            unknown=self.unknown,
            defects=self.defects,
        )

    def more(self, n: int, rng: np.random.Generator) -> list[Draw]:
        """Draw n images more; the errors found until now say how much doubt decides.

        Args:
            n: Images to draw; all that are left if there are not so many.
            rng: Fresh random numbers.
        """
        doubts = dict(zip(self.calls.ids, (1 - self.calls.values.max(1)).tolist(), strict=True))
        mean = max(float(np.mean([*doubts.values()])), 1e-12)
        found = [
            (1 / (len(doubts) * one.propensity), doubts[one.id] / mean)
            for one in self.drawn
            if self.labels.get(one.id, self._called[one.id]) != self._called[one.id]
        ]
        taken = {one.id for one in self.drawn}
        left = {id: doubt for id, doubt in doubts.items() if id not in taken}
        # 1 - random is above 0, of which a logarithm is taken.
        return draw(left, (1 - rng.random(len(left))).tolist(), n, uniform_share(found))

    @cached_property
    def _called(self) -> dict[str, str]:
        columns = self.calls.values.argmax(1).tolist()
        names = (self.calls.classes[column] for column in columns)
        return dict(zip(self.calls.ids, names, strict=True))
