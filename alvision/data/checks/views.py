"""Photographs that look like another view of the same part, and which rule would group them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.data.checks import near
from alvision.data.checks.scan import scan_images
from alvision.data.groups import by_capture_time, by_pattern, exif_time

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.data.image_spec import ImageSpec
    from alvision.data.manifest import Manifest

MOST = 600
"""Photographs looked at: runs of neighbouring files, because views of one part lie together."""
RUN = 60
PATTERNS = {
    "last_separator": r"^(.+)[-_ .][^-_ .]*\.\w+$",
    "last_number": r"^(.*\D)\d+\.\w+$",
    "first_separator": r"^([^-_ ]+)[-_ ]",
}
"""What names of one part may have in common: all up to this place."""
BURST_SECONDS = 5.0


@dataclass(frozen=True)
class RuleFit:
    """What a rule for groups does with the photographs that were looked at.

    Attributes:
        name: `parent`, `capture_time`, or a name in `PATTERNS`.
        group_by: The way, a value of `data.group_by`.
        pattern: The pattern of names, where that is the way.
        groups: Groups that it makes of these photographs.
        together: Photographs with a look-alike that it puts beside one of theirs.
    """

    name: str
    group_by: str
    pattern: str | None
    groups: int
    together: int


@dataclass(frozen=True)
class Views:
    """What was found in a sample of the photographs.

    Attributes:
        looked: Photographs looked at.
        images: Photographs in all.
        alike: Those of the sample that look like another one.
        pairs: Some pairs of look-alikes.
        rules: Rules that put look-alikes together, the best first.
    """

    looked: int
    images: int
    alike: int
    pairs: tuple[tuple[SampleId, SampleId], ...]
    rules: tuple[RuleFit, ...]


def look_for_views(manifest: Manifest, spec: ImageSpec, *, pairs: int = 3) -> Views:
    """Look at some of the photographs for views of one part; decodes each of them once.

    Args:
        manifest: The images.
        spec: How the network sees them.
        pairs: Pairs to show.
    """
    sample = _sample(manifest)
    scan = scan_images(sample, spec)
    ids = [sample.ids[row] for row in scan.rows]
    close = near.alike(scan.vectors, near.close_pairs(scan.bits))
    found = [(int(a), int(b)) for a, b in close]
    rules: dict[tuple[int, ...], RuleFit] = {}
    for name, pattern, group in _rules(sample, scan.rows):
        try:
            groups = group()
        except UserError:
            continue  # it does not fit these names or files
        numbers = {one: number for number, one in enumerate(dict.fromkeys(groups))}
        if fit := _fit(found, name, pattern, groups):
            # Of rules that come to the same, the first one is enough.
            rules.setdefault(tuple(numbers[one] for one in groups), fit)
    shown = sorted(found, key=lambda pair: pair[1] - pair[0])[:pairs]
    return Views(
        looked=len(ids),
        images=len(manifest),
        alike=len({row for pair in found for row in pair}),
        pairs=tuple((ids[a], ids[b]) for a, b in shown),
        rules=tuple(sorted(rules.values(), key=lambda fit: (-fit.together, -fit.groups))),
    )


def _sample(manifest: Manifest) -> Manifest:
    """Return runs of neighbouring files from all over the data, `MOST` files at most."""
    if len(manifest) <= MOST:
        rows: Sequence[int] = range(len(manifest))
    else:
        step = len(manifest) * RUN // MOST
        starts = range(0, len(manifest) - RUN + 1, step)
        rows = [row for start in starts for row in range(start, start + RUN)][:MOST]
    return replace(
        manifest,
        ids=tuple(manifest.ids[row] for row in rows),
        paths=tuple(manifest.paths[row] for row in rows),
    )


def _rules(
    sample: Manifest, rows: Sequence[int]
) -> list[tuple[str, str | None, Callable[[], Sequence[str]]]]:
    """Return the rules that can be tried: their names, and what gives the group of each image."""
    ids = [sample.ids[row] for row in rows]

    def taken() -> Sequence[str]:
        times = [exif_time(sample.paths[row]) for row in rows]
        known = [time for time in times if time is not None]
        if len(known) < len(times):
            raise UserError("some photographs do not say when they were taken")
        return by_capture_time(ids, known, BURST_SECONDS)

    return [
        ("parent", None, lambda: [str(PurePosixPath(id).parent) for id in ids]),
        ("capture_time", None, taken),
        *((name, text, partial(by_pattern, ids, text)) for name, text in PATTERNS.items()),
    ]


def _fit(
    pairs: Sequence[tuple[int, int]], name: str, pattern: str | None, groups: Sequence[str]
) -> RuleFit | None:
    """Return what a rule does with look-alikes; None if it puts none, or everything, together."""
    together = {row for a, b in pairs if groups[a] == groups[b] for row in (a, b)}
    count = len(set(groups))
    if not together or count < 2:
        return None
    return RuleFit(name, "pattern" if pattern else name, pattern, count, len(together))
