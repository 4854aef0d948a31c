"""Score sealed images with a bundle's exported network, each by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.data.images import UnreadableImage, load
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.thresholds import SealedLots
from alvision.deploy.threshold.draw import draw_independent, seal_generator
from alvision.deploy.threshold.plan import ThresholdRequest, groups_of
from alvision.deploy.train.labelled_data import LabelledData

ROUNDING = 1e-4
"""How far a logit may be off when the runtime computes it again, as a share of the largest one.

It adds float32 numbers in another order with another batch, number of threads or processor; some
ten times what that was seen to change.
"""


@dataclass(frozen=True)
class ScoredImages:
    """Sealed images with the defect scores that a bundle gives them, in the order of contents.

    Attributes:
        ids: N images.
        labels: Their classes; None where nobody could name one.
        scores: Their defect scores, [N].
        groups: What each is independent by.
        contents: sha256 of each, no two alike.
        slack: How far the logarithm of score / (1 - score) may be off, see `ROUNDING`.
    """

    ids: tuple[SampleId, ...]
    labels: tuple[str | None, ...]
    scores: np.ndarray
    groups: tuple[str, ...]
    contents: tuple[str, ...]
    slack: float

    @property
    def lots(self) -> SealedLots:
        """Return how many groups they come from, and the size of the largest."""
        sizes = Counter(self.groups)
        return SealedLots(len(sizes), max(sizes.values(), default=0))

    @property
    def independent(self) -> int:
        """Return how many of them count as independent."""
        return len(draw_independent(self.groups, seal_generator()))

    def select(self, keep: Sequence[bool] | np.ndarray) -> ScoredImages:
        """Return the images for which `keep` is true."""
        rows = [i for i, kept in enumerate(keep) if kept]
        return ScoredImages(
            tuple(self.ids[i] for i in rows),
            tuple(self.labels[i] for i in rows),
            self.scores[rows],
            tuple(self.groups[i] for i in rows),
            tuple(self.contents[i] for i in rows),
            self.slack,
        )


def score(
    bundle: Bundle,
    labelled: LabelledData,
    ids: Sequence[SampleId],
    request: ThresholdRequest,
    progress: Callable[[int, int], None],
) -> ScoredImages:
    """Run a bundle on sealed images.

    Args:
        bundle: The bundle.
        labelled: Images and labels.
        ids: The images, in the order of their contents, no two alike.
        request: Tells what counts as a group.
        progress: Called with (done, total).

    Raises:
        UserError: An image cannot be read, or the network gives no finite numbers for it.
    """
    scores: list[float] = []
    largest = 1.0
    for done, id in enumerate(ids, start=1):
        try:
            pixels = load(labelled.data.manifest.path(id), bundle.spec)
        except UnreadableImage as error:
            raise UserError(f"the sealed image {id} cannot be read: {error.reason}") from error
        logits = bundle.run(pixels[None]).logits
        scores.append(float(bundle.defect_scores(logits)[0]))
        if not np.isfinite(scores[-1]):
            raise UserError(
                f"the network gives no finite numbers for the sealed image {id}: train and export "
                "again, with trainer.precision=32-true"
            )
        largest = max(largest, float(abs(logits).max()))
        progress(done, len(ids))
    return ScoredImages(
        tuple(ids),
        tuple(labelled.held_out.get(id) for id in ids),
        np.array(scores),
        tuple(groups_of(labelled, ids, request)),
        tuple(labelled.data.hashes[id] for id in ids),
        # Two sums of exponentials change by at most as much as a logit each.
        2 * ROUNDING * largest / bundle.manifest.temperature,
    )
