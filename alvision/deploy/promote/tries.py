"""Begin a try of a new model: which monitor images it may use, and how sure it has to be shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.promise import percent_sure
from alvision.deploy.promote.rates import Rate, Terms, kind, monitor_images, no_defect, rates
from alvision.deploy.promote.try_log import Try, plan_try, read, write
from alvision.deploy.threshold.look_log import SMALLEST_DOUBT, locked
from alvision.deploy.threshold.plan import log_files
from alvision.deploy.train.labelled_data import LabelledData

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

FILE = "promotions.jsonl"
ONLY_OVERKILL = (
    "No defect is labelled, so only overkill was compared: which bad parts either model lets pass "
    "is not known."
)


@dataclass(frozen=True)
class BegunTry:
    """A try that has begun.

    Attributes:
        ids: The monitor images that the rates are measured on.
        asked: The conditions that were asked for.
        terms: The conditions with the confidence that this try has to show.
        number: The number of this try, from 1; a repeated one keeps its number.
        fresh: It is a further one, and its images are of groups that no try before has used.
        good_only: No defect is labelled, so only good parts could be compared.
    """

    ids: tuple[SampleId, ...]
    asked: Terms
    terms: Terms
    number: int
    fresh: bool
    good_only: bool = False

    @property
    def note(self) -> str:
        """Return what could not be compared, and what the tries before this one mean for it."""
        return " ".join(filter(None, (ONLY_OVERKILL if self.good_only else "", self._tries)))

    @property
    def _tries(self) -> str:
        if self.number == 1:
            return ""
        before = "1 time" if self.number == 2 else f"{self.number - 1} times"
        if self.fresh:
            return (
                f"The monitor images were used {before} before; only those of lots that no try has "
                "used are compared now, which is as good as a first try."
            )
        return (
            f"The monitor images were used {before} before, so this try must be shown with "
            f"{percent_sure(self.terms.confidence)} % confidence instead of "
            f"{percent_sure(self.asked.confidence)} %."
        )


def begin_try(
    old: Bundle, new: Bundle, labelled: LabelledData, config: RunConfig, terms: Terms
) -> BegunTry:
    """Plan a try and log it before a model is run, so that a kill cannot hide one.

    Args:
        old: The line's bundle.
        new: The bundle that is to take its place.
        labelled: Images and labels.
        config: The run's configuration.
        terms: What must be shown.

    Raises:
        UserError: No monitor image has a label, one was trained on, the log is damaged, there
            were too many tries, or too few monitor images for any model to pass.
    """
    path = log_files(labelled, config)[0].with_name(FILE)
    with locked(path):
        begun, planned, earlier = plan(old, new, labelled, terms, read(path))
        if planned not in earlier:
            write(path, [*earlier, planned])
    return begun


def plan(
    old: Bundle, new: Bundle, labelled: LabelledData, terms: Terms, earlier: list[Try]
) -> tuple[BegunTry, Try, list[Try]]:
    """Plan a try after earlier ones; see `plan_try`. Nothing is written.

    Returns:
        The try as it begins, its row of the log, and the rows so far.
    """
    monitor = monitor_images(old, new, labelled)
    hashes, labels = labelled.data.hashes, labelled.held_out
    known = sorted({(hashes[id], labels[id]) for id in monitor})

    def measured(contents: Collection[str]) -> list[Rate]:
        ids = [id for id in monitor if hashes[id] in contents]
        return rates(new, labelled, ids, terms)

    planned = plan_try(
        earlier,
        new=new.model,
        old=old.model,
        labels=hashlib.sha256(json.dumps(known).encode()).hexdigest(),
        independent=terms.independent,
        images={hashes[id]: labelled.groups[id] for id in monitor},
        doubt=1 - terms.confidence,
        enough=lambda contents: all(
            rate.can_be_shown(terms.confidence) for rate in measured(contents)
        ),
    )
    if planned.doubt < SMALLEST_DOUBT:
        raise UserError(
            f"the monitor images were used {len(earlier)} times before, too often to show anything "
            "on them again: label monitor images of other lots"
        )
    number = 1 + (earlier.index(planned) if planned in earlier else len(earlier))
    hopeless = [r for r in measured(planned.images) if r.hopeless(1 - planned.doubt)]
    if hopeless:
        # A run would show figures to choose by, and this could not be charged to a later try.
        rate = hopeless[0]
        raise UserError(
            f"{len(rate.ids)} independent monitor {kind(rate.name)} are too few for any model to "
            f"be shown within {100 * rate.margin:g} points of the line's {rate.name}: label more "
            "of the monitor; no model was run"
        )
    needed = replace(terms, confidence=1 - planned.doubt)
    begun = BegunTry(
        ids=tuple(id for id in monitor if hashes[id] in planned.images),
        asked=terms,
        terms=needed,
        number=number,
        fresh=number > 1 and planned.doubt == 1 - terms.confidence,
        good_only=no_defect(new, labelled),
    )
    return begun, planned, earlier
