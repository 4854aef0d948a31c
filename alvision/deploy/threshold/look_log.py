"""How often the seal was looked at: every look is written down, and costs confidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically


@dataclass(frozen=True)
class SealUse:
    """One look at the seal's defects.

    Attributes:
        model: sha256 of the network that was judged.
        question: What was asked, as text: the same question again is no new look.
        defects: Content of the defects that it was judged on, sorted.
        doubt: Probability of a broken promise that was spent, 1 - confidence.
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
    """Decide what a look may use and what it costs.

    The same model, question and defects: the look was paid for already. Otherwise defects that no
    model was judged on yet are as good as new, if there are enough of them. Otherwise all are used
    and the k-th further look may break its promise with probability doubt / 2^k only, so that all
    further looks together stay below `doubt`.

    Args:
        earlier: The looks so far.
        model: sha256 of the network.
        question: What is asked.
        defects: Content of the seal's defects, and the group of each.
        doubt: 1 - confidence.
        enough: Independent defects that the promise needs at full confidence.

    >>> seal = {"a.png": "lot 1"}
    >>> first = plan_use([], model="m", question="q", defects=seal, doubt=0.05, enough=1)
    >>> second = plan_use([first], model="n", question="q", defects=seal, doubt=0.05, enough=1)
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
    """Return the looks that a file holds; none if there is no file.

    Raises:
        UserError: The file is damaged; nobody can tell then what a promise is worth.
    """
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return [SealUse(**row | {"defects": tuple(row["defects"])}) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is damaged, so it cannot be told how often the seal was read: put a copy back"
        ) from error


def write(path: Path, uses: list[SealUse]) -> None:
    """Write all looks, a line each; the file is whole at any moment."""
    text = "".join(json.dumps(asdict(use), ensure_ascii=False) + "\n" for use in uses)

    def fill(beside: Path) -> None:
        beside.write_text(text, encoding="utf-8", newline="")

    write_atomically(path, fill)
