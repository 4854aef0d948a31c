"""The log of the tries of new models on the monitor images: each further one needs more confidence.

Of many models that are worse than the line's, one will look good enough on the same images by luck.
So each try is logged, and a further one must be shown with a stricter confidence, as a further use
of the sealed images must.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically


@dataclass(frozen=True)
class Try:
    """One try of a new model on monitor images.

    Attributes:
        new: Name of the new model, see `Bundle.model`.
        old: Name of the line's.
        labels: sha256 of the classes of the images.
        independent: Every image counts as independent, whatever its group.
        images: The group of each image that both models were run on, by its sha256.
        doubt: Probability that was allowed of letting a model through that is worse by its margin.
    """

    new: str
    old: str
    labels: str
    independent: bool
    images: Mapping[str, str]
    doubt: float


def plan_try(
    earlier: Sequence[Try],
    *,
    new: str,
    old: str,
    labels: str,
    independent: bool,
    images: Mapping[str, str],
    doubt: float,
    enough: Callable[[Collection[str]], bool],
) -> Try:
    """Decide which monitor images a try may use, and how much doubt it may leave.

    Images of groups that no try has used are as good as new ones, if there are enough of them.
    Otherwise all are used, and the k-th further try may go wrong with probability doubt / 2^k only.
    So the first try lets a worse model through with probability `doubt` at most, and all further
    ones together likewise. The margins are no part of a try, because the limit of a difference
    holds whatever it is compared with.

    A try costs nothing if it would be planned just so at the time of an earlier one: the same two
    models on the same images with the same classes.

    Args:
        earlier: The tries so far, oldest first.
        new: Name of the new model.
        old: Name of the line's.
        labels: sha256 of the classes of the images.
        independent: Every image counts as independent.
        images: The group of each monitor image, by its sha256.
        doubt: 1 - confidence.
        enough: Tells whether images, by their sha256, can show every margin at full confidence.

    >>> ask = dict(old="a", labels="", independent=False, images={"x": "lot 1"}, doubt=0.05)
    >>> first = plan_try([], new="b", enough=bool, **ask)
    >>> second = plan_try([first], new="c", enough=bool, **ask)
    >>> first.doubt, second.doubt
    (0.05, 0.025)
    """

    def next_after(tries: Sequence[Try]) -> Try:
        used = used_groups(tries, images)
        fresh = {content: group for content, group in images.items() if group not in used}
        if not tries or enough(fresh):
            return Try(new, old, labels, independent, fresh, doubt)
        return Try(new, old, labels, independent, dict(images), doubt / 2 ** len(tries))

    for number, one in enumerate(earlier):
        if one == next_after(earlier[:number]):
            return one
    return next_after(earlier)


def used_groups(tries: Sequence[Try], images: Mapping[str, str]) -> set[str]:
    """Return the groups of which some image has been used, by their names then and now.

    Args:
        tries: Tries so far.
        images: The group that each monitor image has now, by its sha256.
    """
    used = {content: group for one in tries for content, group in one.images.items()}
    then = {group for one in tries for group in one.images.values()}
    return then | {images[content] for content in used if content in images}


def read(path: Path) -> list[Try]:
    """Return the tries in a log; none if there is no file.

    Raises:
        UserError: The file is damaged, so that nobody knows any more what a test is worth.
    """
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Try(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged, so nobody knows how often the monitor images were used: put a "
            "copy back"
        ) from error


def write(path: Path, tries: Sequence[Try]) -> None:
    """Write all tries, a line each; the file is whole at any moment."""
    text = "".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in tries)

    def fill(beside: Path) -> None:
        beside.write_text(text, encoding="utf-8", newline="")

    write_atomically(path, fill)
