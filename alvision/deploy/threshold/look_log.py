"""The log of the uses of the sealed test images: each further one needs more confidence.

Every threshold that is chosen on the same sealed images fits them a little better by luck. So each
use is logged, and a further one must prove its promise at a stricter confidence level.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically

if TYPE_CHECKING:
    from filelock import BaseFileLock

SMALLEST_DOUBT = 1e-12
"""Doubt below which nothing is computed: 1 - doubt has no digits left for it."""


@dataclass(frozen=True)
class SealUse:
    """One use of the sealed images.

    Attributes:
        model: sha256 of all that gives a defect score: the network, and how it is read.
        question: The request as text.
        defects: The group of each defect that was scored, by its sha256; the groups are None in
            logs of versions that did not keep them.
        doubt: Probability of a broken promise that was allowed, 1 - confidence.
        good: The group of each good part that was scored, by its sha256; None in those logs. It is
            left out of comparisons, because good parts leave the promise as it is.
    """

    model: str
    question: str
    defects: Mapping[str, str | None]
    doubt: float
    good: Mapping[str, str] | None = field(default=None, compare=False)

    @property
    def contents(self) -> set[str]:
        """Return the sha256 of every image that is known to have been scored."""
        return {*self.defects, *(self.good or ())}

    @property
    def groups(self) -> set[str]:
        """Return the groups that are known to have been scored."""
        named = (*self.defects.values(), *(self.good or {}).values())
        return {group for group in named if group is not None}


def plan_use(
    earlier: Sequence[SealUse],
    *,
    model: str,
    question: str,
    defects: Mapping[str, str],
    good: Mapping[str, str],
    doubt: float,
    enough: Callable[[Collection[str]], bool],
) -> SealUse:
    """Decide which defects a use may score, and how much doubt it may leave.

    Defects of groups that no model was scored on yet are as good as new ones, if there are enough
    of them; another photograph of a group that was scored is not. Otherwise all are used, and the
    k-th further use may break its promise with probability doubt / 2^k only. So the first promise
    is broken with probability `doubt` at most, and any of the further ones likewise.

    A use costs nothing if it would be planned just so at the time of an earlier one: the same
    model, request and defects in the same groups. A defect that was added, taken away, corrected or
    moved to another group since makes it another use.

    Args:
        earlier: The uses so far, oldest first.
        model: sha256 of all that gives a defect score.
        question: The request as text.
        defects: The group of each sealed defect, by its sha256.
        good: The group of each sealed good part, by its sha256.
        doubt: 1 - confidence.
        enough: Tells whether defects, by their sha256, can prove the promise at full confidence.

    >>> ask = dict(question="q", defects={"a": "lot 1"}, good={}, doubt=0.05, enough=bool)
    >>> first = plan_use([], model="m", **ask)
    >>> second = plan_use([first], model="n", **ask)
    >>> first.doubt, second.doubt
    (0.05, 0.025)
    """
    sealed = {**good, **defects}

    def next_after(uses: Sequence[SealUse]) -> SealUse:
        scored = scored_groups(uses, sealed)
        fresh = {content: group for content, group in defects.items() if group not in scored}
        # What a version without `good` has scored is not known. Its next use scores everything.
        # Without a defect nothing is used: those to come are of groups that no model was scored on.
        if not uses or not defects or (uses[-1].good is not None and enough(fresh)):
            return SealUse(model, question, fresh, doubt, good)
        return SealUse(model, question, dict(defects), doubt / 2 ** len(uses), good)

    for number, use in enumerate(earlier):
        if use == next_after(earlier[:number]):
            return use
    return next_after(earlier)


def about_good(use: SealUse) -> SealUse:
    """Return a use with good parts and defects changed over; twice is the use itself.

    A promise about good parts is planned like one about defects: what is proven on the ones is
    proven on the others then.
    """
    if use.good is None:
        return replace(use, defects={}, good=None)  # which ones an old version scored is not known
    known = {content: group or "" for content, group in use.defects.items()}
    return replace(use, defects=use.good, good=known)


def scored_groups(uses: Sequence[SealUse], sealed: Mapping[str, str]) -> set[str]:
    """Return the groups of which some image has been scored, by their names then and now.

    Args:
        uses: Uses of the sealed images.
        sealed: The group that each sealed image has now, by its sha256.
    """
    contents = {content for use in uses for content in use.contents}
    now = {sealed[content] for content in contents if content in sealed}
    return now.union(*(use.groups for use in uses))


def scored_as_good(uses: Sequence[SealUse]) -> set[str]:
    """Return the sha256 of the images that some use has scored as good parts."""
    return {content for use in uses for content in use.good or ()}


def scored_as_defects(uses: Sequence[SealUse]) -> set[str]:
    """Return the sha256 of the images that some use has scored as defects."""
    return {content for use in uses for content in use.defects}


def locked(path: Path) -> BaseFileLock:
    """Take a log until the lock is released; waits for another process that has it.

    Two uses at once would each read the log without the other, and one would not be logged.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(f".{path.name}.lock"))


def read(path: Path) -> list[SealUse]:
    """Return the uses in a log; none if there is no file.

    Raises:
        UserError: The file is damaged, so that nobody knows any more what a promise is worth.
    """
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [_use(json.loads(line)) for line in lines]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is damaged, so nobody knows how often the sealed images were used: put a "
            "copy back"
        ) from error


def read_all(paths: Sequence[Path]) -> list[SealUse]:
    """Return the uses in several logs, each once.

    Args:
        paths: The logs; what only a later one names is put after the others.

    Raises:
        UserError: A file is damaged.
    """
    uses: list[SealUse] = []
    for path in paths:
        uses += [use for use in read(path) if use not in uses]
    return uses


def _use(row: Mapping[str, Any]) -> SealUse:
    defects = row["defects"]
    # A version before wrote a list without groups.
    known = defects if isinstance(defects, dict) else dict.fromkeys(defects)
    return SealUse(**{**row, "defects": known})


def write(path: Path, uses: Sequence[SealUse]) -> None:
    """Write all uses, a line each; the file is whole at any moment."""
    text = "".join(f"{json.dumps(_row(use), ensure_ascii=False)}\n" for use in uses)

    def fill(beside: Path) -> None:
        beside.write_text(text, encoding="utf-8", newline="")

    write_atomically(path, fill)


def _row(use: SealUse) -> dict[str, Any]:
    row = asdict(use)
    # What is not known stays unknown, also for the next reader.
    if use.good is None:
        row |= {"defects": list(use.defects)}
        del row["good"]
    return row
