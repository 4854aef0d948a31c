"""After how many labels each defect of a pool was found: read from the files of the rounds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alvision.core.records import SampleId
from alvision.run_folder.round_files import read_csv


@dataclass(frozen=True, eq=False)
class Found:
    """When the runs of a study found the defects of their pools: S seeds.

    Attributes:
        defects: The classes that are defects.
        totals: Defects of each seed's pool, without those known beforehand, [S].
        hits: By acquisition, for each seed: the labels given when each defect was found,
            increasing, [H].
        labels: By acquisition: the labels given in all, [S].
    """

    defects: tuple[str, ...]
    totals: np.ndarray
    hits: Mapping[str, Sequence[np.ndarray]]
    labels: Mapping[str, np.ndarray]


def read_found(
    runs: Mapping[str, Sequence[Path]], full: Sequence[Path], defects: Sequence[str]
) -> Found | None:
    """Read when each defect was found; None where that cannot be known.

    Args:
        runs: The runs' folders by acquisition, one for each seed.
        full: The fits on the whole pool, one for each seed: their labels say what the pool holds.
        defects: The classes that are defects.
    """
    every = [*full, *(run for folders in runs.values() for run in folders)]
    if not full or not defects or not all(map(_has_rounds, every)):
        return None
    pools = [
        {id for id, label in _answers(folder) if label in defects} - known_before(folders)
        for folder, *folders in zip(full, *runs.values(), strict=True)
    ]
    orders = {name: [asked(folder) for folder in folders] for name, folders in runs.items()}
    return Found(
        defects=tuple(defects),
        totals=np.array([len(pool) for pool in pools]),
        hits={
            name: [hits_in(order, pool) for order, pool in zip(found, pools, strict=True)]
            for name, found in orders.items()
        },
        labels={name: np.array([len(order) for order in found]) for name, found in orders.items()},
    )


def asked(run: Path) -> list[SampleId]:
    """Return the images that a run asked for and that were labelled, an entry for each label.

    Rounds follow each other, and within a round the rank of the query counts, not the order in
    which the answers came.
    """
    found: list[SampleId] = []
    for ranks, labelled in _rounds(run):
        found += sorted((id for id, _ in labelled if id in ranks), key=ranks.__getitem__)
    return found


def known_before(runs: Collection[Path]) -> set[SampleId]:
    """Return the images that runs had labels of without asking for them."""
    return set().union(*({id for id, _ in _answers(run)} - set(asked(run)) for run in runs))


def hits_in(order: Sequence[SampleId], pool: Collection[SampleId]) -> np.ndarray:
    """Return the labels given when each image of `pool` was labelled first, increasing.

    >>> hits_in(["a", "b", "a", "c"], {"a", "c"})
    array([1, 4])
    """
    first = {id: place for place, id in reversed(list(enumerate(order, start=1)))}
    return np.array(sorted(first[id] for id in first.keys() & set(pool)), dtype=int)


def _has_rounds(run: Path) -> bool:
    return any(run.glob("rounds/*/answers.csv"))


def _answers(run: Path) -> list[tuple[SampleId, str]]:
    return [answer for _, labelled in _rounds(run) for answer in labelled]


def _rounds(run: Path) -> list[tuple[dict[SampleId, int], list[tuple[SampleId, str]]]]:
    """Return the ranks of each round's query, and its labels."""
    found = []
    for file in sorted(run.glob("rounds/*/answers.csv")):
        query = file.with_name("query.csv")
        ranks = {row["id"]: int(row["rank"]) for row in read_csv(query)} if query.exists() else {}
        rows = [row for row in read_csv(file) if row["kind"] == "label"]
        found.append((ranks, [(row["id"], row["label"]) for row in rows]))
    return found
