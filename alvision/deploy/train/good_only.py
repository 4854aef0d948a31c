"""A final model of good parts alone: a memory of their patches, and what is usual among them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alvision.anomaly.maps import hot_level, peaks
from alvision.anomaly.memory import PatchMemory, fold_of
from alvision.anomaly.robust import ALIKE, FOLDS
from alvision.anomaly.scores import image_scores
from alvision.anomaly.unseen import Distances, strangeness_logits
from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.deploy.train.labelled_data import LabelledData
from alvision.deploy.train.model_facts import MemoryFacts
from alvision.training import Learner

FILE = "novelty.npz"
"""The memory of a final model, in its folder: of today's photographs."""
QUANTILE = 0.99
"""Share of the good photographs that are no stranger than usual."""
FEWEST = 59
"""Held-out good photographs that tell what is usual; with fewer the learned ones do, each compared
with the parts of the memory that it is not in. See `deploy.bundle.verdict.FEWEST_HELD_OUT`."""

DistancesOf = Callable[[Sequence[str], Tensor], Tensor]
"""Gives the distance of each place of some images, of such contents and with such patches."""


@dataclass(frozen=True)
class GoodOnly:
    """A model of good parts alone.

    Attributes:
        memory: Patches of photographs that nobody called a defect.
        facts: What it holds, and the usual novelty.
    """

    memory: PatchMemory
    facts: MemoryFacts


def only_good(labels: Collection[str], defects: Collection[str] | None) -> bool:
    """Tell whether one class is labelled and it is a good one, so that nothing can be told apart.

    >>> only_good(["good", "good"], ["scratch"]), only_good(["good", "scratch"], ["scratch"])
    (True, False)
    """
    return bool(defects) and len(set(labels)) == 1 and not set(labels) & set(defects or ())


def learn(learner: Learner, labelled: LabelledData, path: Path) -> GoodOnly:
    """Make a memory of the pool, as the photographs and labels are today.

    The whole pool is in it, labelled or not: what people label first is strange, and a memory of
    that alone would find everything else strange. It outvotes the few defects that nobody has
    seen, see `anomaly.robust`.

    Args:
        learner: Reads patches; no image has been read yet.
        labelled: Images and labels.
        path: The file that keeps the memory; an older one is replaced.

    Raises:
        UserError: Patches cannot be read of this data or this network, or the photographs are too
            few or too alike to tell what is usual.
    """
    path.unlink(missing_ok=True)
    learner.read_novelty(path)
    novelty = learner.novelty
    assert novelty is not None
    memory = novelty.memory
    grid = learner.features.patches.grid
    good = set(labelled.training.values())
    held_out = [id for id in labelled.monitor if labelled.held_out[id] in good]
    measured = _measured(learner, held_out, _unseen(memory))
    if len(measured) < FEWEST:
        measured = _measured(learner, sorted(labelled.training), _of_other_folds(memory))
    scores = [score for score, _ in measured.values()]
    usual = float(np.quantile(scores, QUANTILE, method="higher")) if scores else 0.0
    width = memory.standard.mean.numel()
    if not usual > ALIKE * width**0.5:
        raise UserError(
            "the good photographs are too few or all alike, so nothing tells what is usual: add "
            "photographs of other good parts"
        )
    facts = MemoryFacts(
        images=len(novelty.pool),
        patches=sum(map(len, memory.parts)),
        width=width,
        usual=usual,
        level=hot_level(peaks(np.stack([own for _, own in measured.values()]), grid)),
    )
    return GoodOnly(memory, facts)


def logits(
    learner: Learner, known: GoodOnly, ids: Sequence[SampleId], defects: Sequence[bool]
) -> tuple[tuple[SampleId, ...], Float[Tensor, "n c"]]:
    """Return the images that can be read, and what the bundle's network will give them.

    Args:
        learner: Reads patches.
        known: The model.
        ids: Images that are not in the memory.
        defects: Whether each class is a defect.
    """
    measured = _measured(learner, ids, _unseen(known.memory))
    scores = torch.tensor([score for score, _ in measured.values()])
    return tuple(measured), strangeness_logits(scores, known.facts.usual, defects)


def _unseen(memory: PatchMemory) -> DistancesOf:
    distances = Distances(memory)
    return lambda names, patches: distances(patches.float())


def _of_other_folds(memory: PatchMemory) -> DistancesOf:
    def distances(names: Sequence[str], patches: Tensor) -> Tensor:
        # Between the middle two of four, for it stands for the middle one of five.
        return torch.stack(
            [
                memory.votes(own[None], fold_of(name, FOLDS)).quantile(0.5, dim=0)[0]
                for name, own in zip(names, patches, strict=True)
            ]
        )

    return distances


def _measured(
    learner: Learner, ids: Sequence[SampleId], distances_of: DistancesOf
) -> dict[SampleId, tuple[float, np.ndarray]]:
    """Return the novelty of each readable image, and the distance of each of its places."""
    features = learner.features
    readable = features.readable(ids)
    found: dict[str, tuple[float, np.ndarray]] = {}
    for names, patches in features.patches.of([features.hashes[id] for id in readable]):
        with torch.inference_mode():
            distances = distances_of(names, patches)
            scores = image_scores(distances).tolist()
        found.update(zip(names, zip(scores, distances.numpy(), strict=True), strict=True))
    return {id: found[features.hashes[id]] for id in readable}
