"""What stands in for people in a simulated run: the answers, their cost, what is known before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alvision.config.checks import KNOWN_DEFECTS, known_defects
from alvision.core.errors import UserError
from alvision.data.thin_defects import pool_defects
from alvision.oracles.noise import Chances, confused, costs, graded, noisy_answers
from alvision.oracles.simulated import SimulatedOracle, known_beforehand

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.dataset.dataset import DataSet
    from alvision.labels.store import LabelStore


@dataclass(frozen=True)
class Simulation:
    """A data set that answers in place of people.

    Attributes:
        truth: The class of each image.
        chances: How likely each wrong answer is, by an image's id and class.
        seed: The run's seed.
        seconds: What an answer costs, by the class answered; empty where it is not known.
        known: Defects of the pool that are known before the first round.
    """

    truth: Mapping[SampleId, str]
    chances: Callable[[SampleId, str], Chances]
    seed: int
    seconds: Mapping[str, float]
    known: tuple[SampleId, ...]

    def oracle(self, run: str, store: LabelStore) -> SimulatedOracle:
        """Return who answers: one person, and others what is asked again."""

        def given(round: int) -> Counter[SampleId]:
            events = store.events()
            return Counter(e.id for e in events if e.kind == "label" and e.round < round)

        return SimulatedOracle(
            noisy_answers(self.truth, self.chances, seed=self.seed),
            run,
            seconds=self.seconds,
            again=self._again,
            given=given,
        )

    def _again(self, id: SampleId, nth: int) -> str:
        one = {id: self.truth[id]}
        return noisy_answers(one, self.chances, seed=self.seed, nth=nth)[id]

    def begin(self, store: LabelStore, hashes: Mapping[SampleId, str], run: str) -> None:
        """Put what is known beforehand into the store; a second time changes nothing."""
        if self.known:
            store.append(known_beforehand(self.known, self.truth, run), hash_of=hashes.get)


def simulation(data: DataSet) -> Simulation:
    """Return what answers in place of people, as the data set's configuration asks.

    Raises:
        UserError: The configuration asks for what the data does not have.
    """
    config = data.config
    count = known_defects(config)
    order = pool_defects(data.split, data.manifest, config.defects or (), seed=config.seed)
    if count > len(order):
        raise UserError(
            f"cold_start.{KNOWN_DEFECTS}={count}, but the pool has {len(order)} defects; ask for "
            "less"
        )
    return Simulation(
        data.truth,
        _chances(data),
        config.seed,
        costs(config.oracle.seconds, data.classes),
        tuple(order[:count]),
    )


def _chances(data: DataSet) -> Callable[[SampleId, str], Chances]:
    config = data.config
    if config.oracle.graded:
        return graded(data.manifest.ids, data.manifest.answer_shares)
    return confused(config.oracle.confusion or {}, data.classes)
