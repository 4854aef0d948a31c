"""The log of the uses of the sealed test images: each further one needs more confidence.

Every threshold that is chosen on the same sealed images fits them a little better by luck. So each
use is logged, and a further one must prove its promise at a stricter confidence level.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically


@dataclass(frozen=True)
class SealUse:
    """One use of the sealed defects.

    Attributes:
        model: sha256 of the network that was scored.
        question: The request as text: the same request again is no new use.
        defects: sha256 of the defects that were scored, sorted.
        doubt: Probability of a broken promise that was allowed, 1 - confidence.
    """

    model: str
    question: str
    defects: tuple[str, ...]
    doubt: float


def plan_use(
    earlier: list[SealUse],
    *,
    model: str,
    question: str,
    defects: Mapping[str, str],
    doubt: float,
    enough: int,
) -> SealUse:
    """Decide which defects a use may score, and how much doubt it may leave.

    The same model, request and defects: the use was logged already and costs nothing. Otherwise
    defects that no model was scored on yet are as good as new ones, if there are enough of them.
    Otherwise all are used, and the k-th further use may break its promise with probability
    doubt / 2^k only, so that all further uses together stay below `doubt`.

    Args:
        earlier: The uses so far.
        model: sha256 of the network.
        question: The request as text.
        defects: The group of each sealed defect, by its sha256.
        doubt: 1 - confidence.
        enough: Independent defects that the promise needs at full confidence.

    >>> sealed = {"a.png": "lot 1"}
    >>> first = plan_use([], model="m", question="q", defects=sealed, doubt=0.05, enough=1)
    >>> second = plan_use([first], model="n", question="q", defects=sealed, doubt=0.05, enough=1)
    >>> first.doubt, second.doubt
    (0.05, 0.025)
    """
    every = tuple(sorted(defects))
    for use in earlier:
        if (use.model, use.question) == (model, question) and (set(use.defects) <= set(every)):
            return use
    used = {defect for use in earlier for defect in use.defects}
    fresh = tuple(defect for defect in every if defect not in used)
    if not earlier or len({defects[content] for content in fresh}) >= enough:
        return SealUse(model, question, fresh, doubt)
    return SealUse(model, question, every, doubt / 2 ** len(earlier))


def read(path: Path) -> list[SealUse]:
    """Return the uses in a log; none if there is no file.

    Raises:
        UserError: The file is damaged, so that nobody knows any more what a promise is worth.
    """
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return [SealUse(**row | {"defects": tuple(row["defects"])}) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is damaged, so nobody knows how often the sealed images were used: put a "
            "copy back"
        ) from error


def write(path: Path, uses: list[SealUse]) -> None:
    """Write all uses, a line each; the file is whole at any moment."""
    text = "".join(json.dumps(asdict(use), ensure_ascii=False) + "\n" for use in uses)

    def fill(beside: Path) -> None:
        beside.write_text(text, encoding="utf-8", newline="")

    write_atomically(path, fill)
