"""Labels of another tool's file: which image an entry means, and one class from its boxes."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.labels.answers import allowed_answers, parse_answer
from alvision.labels.boxes import Box
from alvision.labels.exchange.import_answers import (
    ImportCounts,
    ImportedAnswer,
    import_answers,
    neutral_name,
)
from alvision.labels.store import LabelStore

_NEUTRAL = re.compile(r"[0-9a-f]{16}")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""Label Studio puts this before the name of an uploaded file."""
_SHOWN = 3


@dataclass(frozen=True)
class ForeignImage:
    """An image as another tool's file has it.

    Attributes:
        name: Its path or name there.
        classes: The class names of its boxes and tags, in their order; may repeat.
        where: The file with the line or the entry.
        by: Who said so; None where the file does not say.
        sha256: Hash of its bytes, where the file says it.
        boxes: Its boxes, with the class name of each.
    """

    name: str
    classes: tuple[str, ...]
    where: str
    by: str | None = None
    sha256: str | None = None
    boxes: tuple[tuple[str, Box], ...] = ()


@dataclass(frozen=True)
class Rule:
    """How the boxes of an image become its one class.

    Attributes:
        none: The class of an image without a box; None: it stays without a label.
        several: Classes, the one that goes first first; of an image with boxes of several classes
            the first of these counts. Empty: such an image is refused.
    """

    none: str | None = None
    several: tuple[str, ...] = ()

    def checked(self, classes: Sequence[str]) -> Rule:
        """Return the rule with the classes' own spelling.

        Raises:
            UserError: It names something that is not a class.
        """
        none = None if self.none is None else _word(self.none, classes, "none=")
        return Rule(none, tuple(_word(name, classes, "several=") for name in self.several))

    def label(self, image: ForeignImage, classes: Sequence[str]) -> str | None:
        """Return an image's class, `skip` or `unsure`; None where there is no label.

        Raises:
            UserError: It names something that is not a class, or several classes without an order.
        """
        names = dict.fromkeys(_word(name, classes, image.where) for name in image.classes)
        if len(names) <= 1:
            return next(iter(names), self.none)
        first = next((name for name in self.several if name in names), None)
        if first is None:
            raise UserError(
                f"{image.where}: {image.name!r} has several classes ({', '.join(names)}): give the"
                ' order in which they count, like "several=[crack,scratch]"; nothing was imported'
            )
        return first


def import_foreign(
    store: LabelStore,
    images: Iterable[ForeignImage],
    path: Path,
    *,
    ids: Collection[SampleId],
    hashes: Mapping[SampleId, str],
    classes: Sequence[str],
    rule: Rule,
    by: str = "import",
    asked: Mapping[SampleId, int] | None = None,
) -> ImportCounts:
    """Import the labels of another tool's file, all of them or nothing.

    Args:
        store: The store to add to.
        images: What a reader of this folder returned.
        path: The file, for refusals.
        ids: The images of today.
        hashes: Their sha256.
        classes: The class names.
        rule: How boxes become one class.
        by: Who said it, where the file does not say.
        asked: The round that asks for an image, see `import_answers`.

    Raises:
        UserError: Names the entry whose image or class is unknown, unclear or contradicts another.
    """
    rule, finder = rule.checked(classes), Finder(ids, hashes)
    answers: dict[tuple[SampleId, str], ImportedAnswer] = {}
    earlier: dict[tuple[SampleId, str], ForeignImage] = {}
    unknown, blank = [], 0
    for image in images:
        label = rule.label(image, classes)
        id = finder.find(image)
        if id is None:
            unknown.append(image)
        elif label is None:
            blank += 1
        else:
            said = id, image.by or by
            first = earlier.setdefault(said, image)
            drawn = tuple(
                box for name, box in image.boxes if _word(name, classes, image.where) == label
            )
            if answers.setdefault(said, ImportedAnswer(label, boxes=drawn)).label != label:
                raise UserError(
                    f"{image.where}: {id} is {label!r} here and {answers[said].label!r} at"
                    f" {first.where}: keep one; nothing was imported"
                )
    if unknown:
        names = ", ".join(repr(image.name) for image in unknown[:_SHOWN])
        raise UserError(
            f"{unknown[0].where}: {len(unknown)} images of {path} are not in data.root"
            f" (first: {names}); nothing was imported: check data.root, or remove these entries"
        )
    if not answers and not blank:
        raise UserError(f"{path} names no image: check from=, or name its format=")
    return import_answers(store, answers, ids=ids, hashes=hashes, blank=blank, asked=asked)


class Finder:
    """Find the image that an entry means: by its bytes, else by its path.

    Two paths mean one image if one of them is the end of the other: `parts/a.png` in a file means
    the image `a.png`, or `lot 3/parts/a.png`. A name without a suffix leaves the suffix open.

    Args:
        ids: The images of today.
        hashes: Their sha256.
    """

    def __init__(self, ids: Collection[SampleId], hashes: Mapping[SampleId, str]) -> None:
        self._ids = frozenset(ids)
        self._ends: dict[str, list[SampleId]] = defaultdict(list)
        self._contents: dict[str, SampleId] = {}
        for id in sorted(self._ids):
            for path in {id, _stem(id)}:
                for end in _ends(path):
                    self._ends[end].append(id)
            if id in hashes:
                self._contents.setdefault(hashes[id], id)
                self._contents.setdefault(neutral_name(hashes[id]), id)

    def find(self, image: ForeignImage) -> SampleId | None:
        """Return the image; None where there is none.

        Raises:
            UserError: The name fits several images.
        """
        if image.sha256:
            return self._contents.get(image.sha256)
        path = _tidy(image.name)
        name = path.rpartition("/")[2]
        if found := self._by_path(path, image):
            return found
        if _UPLOADED.match(name) and (found := self._by_path(_UPLOADED.sub("", name), image)):
            return found
        neutral = _NEUTRAL.fullmatch(_UPLOADED.sub("", name).partition(".")[0])
        return self._contents.get(neutral[0]) if neutral else None

    def _by_path(self, path: str, image: ForeignImage) -> SampleId | None:
        if path in self._ids:
            return path
        found = self._ends.get(path, [])
        for end in _ends(path) if not found else ():  # the longest first
            if found := [id for id in self._ends.get(end, ()) if end in (id, _stem(id))]:
                break
        if len(found) > 1:
            raise UserError(
                f"{image.where}: {image.name!r} may be {found[0]!r} or {found[1]!r}: give more of"
                " its path there, or a smaller data.root; nothing was imported"
            )
        return found[0] if found else None


def _word(name: str, classes: Sequence[str], where: str) -> str:
    answer = parse_answer(name, classes)
    if answer is None:
        raise UserError(
            f"{where}: {name!r} is not one of {allowed_answers(classes)}: correct it or add it to"
            " classes; nothing was imported"
        )
    return answer[1] or answer[0]


def _tidy(name: str) -> str:
    r"""Return a path with `/`, in NFC, without `.` and empty parts.

    >>> _tidy(".\\parts\\a.png "), _tidy("../data//a.png")
    ('parts/a.png', 'data/a.png')
    """
    text = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
    return "/".join(part for part in text.split("/") if part not in ("", ".", ".."))


def _stem(id: SampleId) -> str:
    return str(PurePosixPath(id).with_suffix(""))


def _ends(path: str) -> list[str]:
    """Return a path and what is left of it without its first folders.

    >>> _ends("a/b/c.png")
    ['a/b/c.png', 'b/c.png', 'c.png']
    """
    parts = path.split("/")
    return ["/".join(parts[number:]) for number in range(len(parts))]
