"""Which part each image is in where people answer: drawn once by its group, kept by its bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from alvision.core.errors import UserError
from alvision.data.splits import PARTS, Part, Split, drawn, split_of

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.data.manifest import Manifest

_IMAGE, _CONTENT = "image:", "sha256:"
_CALLED: dict[Part, str] = {
    "pool": "the images to train on",
    "monitor": "the monitor images",
    "seal": "the sealed test images",
}


@dataclass(frozen=True)
class RecordedParts:
    """Hold the part of everything that was ever drawn, as `audit.csv` keeps it.

    Attributes:
        groups: By the name that the data gives a group.
        images: By id.
        contents: By the sha256 of an image's bytes.
        names_alone: It was written before contents were kept: a name may have any bytes.
    """

    groups: Mapping[str, Part] = field(default_factory=dict)
    images: Mapping[SampleId, Part] = field(default_factory=dict)
    contents: Mapping[str, Part] = field(default_factory=dict)
    names_alone: bool = False

    @classmethod
    def from_rows(cls, rows: Mapping[str, str]) -> RecordedParts:
        """Read the rows of `audit.csv`: `image:<id>`, `sha256:<hash>`, or the name of a group.

        >>> RecordedParts.from_rows({"lot7": "seal", "image:a.png": "pool"}).images
        {'a.png': 'pool'}
        """
        found: dict[str, dict[str, Part]] = {_IMAGE: {}, _CONTENT: {}, "": {}}
        for name, part in rows.items():
            kind = next(kind for kind in found if name.startswith(kind))
            found[kind][name.removeprefix(kind)] = cast(Part, part)
        return cls(found[""], found[_IMAGE], found[_CONTENT], not found[_CONTENT])

    def rows(self) -> dict[str, Part]:
        """Return the rows of `audit.csv`."""
        return {
            kind + name: part
            for kind, parts in (("", self.groups), (_IMAGE, self.images), (_CONTENT, self.contents))
            for name, part in parts.items()
        }

    def with_contents(self, seen: Iterable[tuple[SampleId, str]]) -> RecordedParts:
        """Return the record with the bytes that images once had, where those are new to it.

        A record of the first version has names alone. The label log still knows the bytes behind
        them, so that images which were renamed since keep their parts all the same.
        """
        found: dict[str, Part] = {}
        for id, sha256 in seen:
            if id in self.images:
                found[sha256] = first_of({self.images[id], found.get(sha256, self.images[id])})
        return replace(self, contents={**found, **self.contents})

    def own(self, id: SampleId, group: str | None, sha256: str | None) -> Part | None:
        """Return the part of an image by itself; None for one that was never drawn.

        Its bytes decide. A file with other bytes under an old name is a new image: the group that
        the data gives it decides; an image without one is its own group, by its name, and stays.
        The name also decides where bytes cannot be compared.
        """
        if sha256 is not None and sha256 in self.contents:
            return self.contents[sha256]
        if group is None or sha256 is None or self.names_alone:
            return self.images.get(id)
        return None

    def with_parts(
        self, manifest: Manifest, hashes: Mapping[SampleId, str], parts: Mapping[SampleId, Part]
    ) -> RecordedParts:
        """Return the record with the parts that images are in today.

        They replace what it said of these images, their bytes and the groups that the data gives
        them: an image that may have been trained on never goes back.
        """
        groups, images, contents = dict(self.groups), dict(self.images), dict(self.contents)
        for id, group in zip(manifest.ids, manifest.groups, strict=True):
            if id not in parts:
                continue
            images[id] = parts[id]
            if group is not None:
                groups[group] = parts[id]
            if id in hashes:
                contents[hashes[id]] = parts[id]
        return RecordedParts(groups, images, contents)


def first_of(parts: Iterable[Part]) -> Part:
    """Return the part that wins: what may have been trained on must not be evaluated on."""
    return min(parts, key=PARTS.index)


def audit_split(
    manifest: Manifest,
    groups: Sequence[str],
    hashes: Mapping[SampleId, str],
    *,
    share: float,
    known: RecordedParts,
) -> Split:
    """Split images that people label: a group is audit if blake2b(group) < share, whoever asks.

    A part that is known is kept for ever, so that no model is evaluated on what another was trained
    on. A group whose members come with several parts takes the one that `first_of` names.

    Args:
        manifest: The images and the groups that the data gives them.
        groups: The group of each image, see `group_keys`.
        hashes: sha256 of the images, where `known` has contents.
        share: The share of the groups that is held out.
        known: The parts so far.

    Raises:
        UserError: If the share is not in 0 .. below 1.
    """
    if not 0 <= share < 1:
        raise UserError(f"audit.share={share} must be in 0 .. below 1")
    said: dict[str, set[Part]] = defaultdict(set)
    for id, given, group in zip(manifest.ids, manifest.groups, groups, strict=True):
        own = known.own(id, given, hashes.get(id))
        of_group = None if given is None else known.groups.get(given)
        said[group] |= {part for part in (own, of_group) if part is not None}
    parts = {
        group: first_of(before) if before else drawn(group, share) for group, before in said.items()
    }
    return split_of(manifest.ids, [parts[group] for group in groups])


def changes(
    manifest: Manifest, hashes: Mapping[SampleId, str], known: RecordedParts, split: Split
) -> tuple[str, ...]:
    """Say in a line for each kind of change how many images go to another part than they were in.

    Raises:
        UserError: A whole part would be lost.
    """
    moved: dict[tuple[Part, Part], list[SampleId]] = defaultdict(list)
    for id, group in zip(manifest.ids, manifest.groups, strict=True):
        before, now = known.own(id, group, hashes.get(id)), split.part(id)
        if before is not None and before != now:
            moved[before, now].append(id)
    for (before, _), ids in moved.items():
        if not getattr(split, before):
            raise UserError(
                f"nothing would be left of {_CALLED[before]}: all {len(ids)} share a group with "
                f"images of another part now (first {ids[0]!r}); group images as before "
                "(data.group_by, the names and times of the files), or remove the copies"
            )
    return tuple(
        f"{len(ids)} of {_CALLED[before]} belong to {_CALLED[now]} from now on, because "
        f"they share a group with some of those (first {ids[0]!r})"
        for (before, now), ids in sorted(moved.items())
    )


def empty_parts(split: Split, groups: Sequence[str]) -> tuple[str, ...]:
    """Say that nothing was drawn for a held-out part: the groups are few, or one is of all images.

    >>> empty_parts(split_of(["a", "b"], ["pool", "pool"]), ["lot7", "lot7"])[0][:72]
    'no image is held out to measure the model, none for the threshold: all 2'
    """
    purposes = {"to measure the model": split.monitor, "for the threshold": split.seal}
    empty = [purpose for purpose, ids in purposes.items() if not ids]
    if not empty:
        return ()
    count = len(set(groups))
    return (
        f"no image is held out {', none '.join(empty)}: all {len(groups)} are in {count} "
        f"group{'' if count == 1 else 's'}, and a group stays whole; add images of other parts, "
        "or give a finer rule for groups (data.group_by) before anybody answers",
    )
