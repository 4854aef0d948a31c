"""What stands in for people in a simulated run: what is said, what it costs, what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alvision.config.checks import KNOWN_DEFECTS, known_defects
from alvision.core.errors import UserError
from alvision.data.thin_defects import pool_defects
from alvision.oracles.noise import confused, costs, graded, heard
from alvision.oracles.simulated import SimulatedOracle, known_beforehand

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.core.records import SampleId
    from alvision.data.splits import Split
    from alvision.dataset.dataset import Sources
    from alvision.labels.store import LabelStore


@dataclass(frozen=True)
class Simulation:
    """A data set that answers.

    Attributes:
        truth: The class of each image.
        said: What is answered for each image.
        seconds: What an answer costs, by what is answered; empty where it is not known.
        known: Defects of the pool that are known before the first round.
    """

    truth: Mapping[SampleId, str]
    said: Mapping[SampleId, str]
    seconds: Mapping[str, float]
    known: tuple[SampleId, ...]

    def oracle(self, run: str) -> SimulatedOracle:
        """Return who answers."""
        return SimulatedOracle(self.said, run, seconds=self.seconds)

    def begin(self, store: LabelStore, hashes: Mapping[SampleId, str], run: str) -> None:
        """Put what is known beforehand into the store; a second time changes nothing."""
        if self.known:
            store.append(known_beforehand(self.known, self.truth, run), hash_of=hashes.get)


def simulation(config: RunConfig, data: Sources, split: Split) -> Simulation:
    """Read from a configuration what stands in for people.

    Raises:
        UserError: It asks for what the data does not have.
    """
    truth = {
        id: label
        for id, label in zip(data.manifest.ids, data.manifest.truth, strict=True)
        if label is not None
    }
    count = known_defects(config)
    order = pool_defects(split, data.manifest, config.defects or (), seed=config.seed)
    if count > len(order):
        raise UserError(
            f"cold_start.{KNOWN_DEFECTS}={count}, but the pool has {len(order)} defects; ask for "
            "less"
        )
    return Simulation(
        truth,
        _said(config, data, truth),
        costs(config.oracle.seconds, data.classes),
        tuple(order[:count]),
    )


def _said(
    config: RunConfig, data: Sources, truth: Mapping[SampleId, str]
) -> Mapping[SampleId, str]:
    if config.oracle.graded:
        chances = graded(data.manifest.ids, data.manifest.answer_shares)
    elif config.oracle.confusion:
        chances = confused(config.oracle.confusion, data.classes)
    else:
        return truth
    return heard(truth, chances, seed=config.seed)
