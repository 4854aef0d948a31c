"""Checks of pictures that are there twice, byte for byte or nearly so."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from alvision.data.checks import near
from alvision.data.checks.context import CheckContext
from alvision.data.checks.findings import Example, Finding, NotApplicable, amount
from alvision.data.splits import straddling

EXAMPLES = 6
LEAST_WIDTH = 16
"""Narrower embeddings are close to each other by chance."""
LEAST_LIKENESS_OF_FEATURES = 0.995


def exact_duplicates(context: CheckContext) -> list[Finding]:
    """Count images with the same bytes, and those of them that carry different classes."""
    manifest = context.manifest
    members: dict[str, list[int]] = defaultdict(list)
    for row, id in enumerate(manifest.ids):
        if id in context.hashes:
            members[context.hashes[id]].append(row)
    copies = [rows for rows in members.values() if len(rows) > 1]
    if not copies:
        return []
    spare = sum(len(rows) - 1 for rows in copies)
    findings = [
        Finding(
            "note",
            f"{amount(spare, 'exact copy')} of other images",
            f"{amount(len(copies), 'picture')} found more than once, byte for byte.",
            "Nothing to do: copies share a group, so they never sit on both sides of a split, and "
            "only one of them is asked about.",
            examples=_pairs(context, [(rows[0], rows[1]) for rows in copies]),
        )
    ]
    torn = [(rows[0], other) for rows in copies if (other := _other_class(context, rows))]
    if torn:
        findings.append(
            Finding(
                "error",
                f"{amount(len(torn), 'picture')} with more than one class",
                "Exact copies of one file are under different classes; at most one is right.",
                "Decide which class is right and remove the other copy.",
                examples=_pairs(context, torn),
            )
        )
    return findings


def near_duplicates(context: CheckContext) -> list[Finding]:
    """Find pictures that are nearly the same, and whether they straddle groups or splits."""
    scan = context.scan
    if len(scan.rows) < 2:
        raise NotApplicable("fewer than two images can be read")
    least = near.LEAST_CORRELATION
    if context.manifest.features is not None:
        least = LEAST_LIKENESS_OF_FEATURES
        if context.manifest.features.shape[1] < LEAST_WIDTH:
            raise NotApplicable(f"embeddings narrower than {LEAST_WIDTH} are close by chance")
    pairs = near.alike(scan.vectors, near.close_pairs(scan.bits), least)
    digest = np.array([hash(context.hashes.get(context.id(p), p)) for p in range(len(scan.rows))])
    pairs = pairs[digest[pairs[:, 0]] != digest[pairs[:, 1]]]
    if len(pairs) == 0:
        return []
    component = near.components(pairs, len(scan.rows))
    sizes = Counter(component.tolist())
    clusters = [number for number, size in sizes.items() if size > 1]
    images = sum(sizes[number] for number in clusters)
    apart, advice = _apart(context, pairs)
    unlike = pairs[_differs(pairs, [context.label(p) for p in range(len(scan.rows))])]
    detail = (
        f"{amount(images, 'image')} in {amount(len(clusters), 'set')} of pictures that differ "
        "by no more than a re-encoded or brighter copy would"
        + (f"; the largest set has {max(sizes.values()):,}." if max(sizes.values()) > 2 else ".")
    )
    title = f"{amount(images, 'image')} have a near duplicate"
    if len(apart) and context.has_groups:
        title = "Near duplicates are in different groups"
        detail += f" {amount(len(np.unique(apart)), 'image')} have theirs in another group."
    if len(unlike):
        detail += f" {amount(len(np.unique(unlike)), 'image')} have one of another class."
    ordered = np.concatenate([apart, unlike, pairs])
    return [
        Finding(
            "warning" if len(apart) else "note",
            title,
            detail,
            advice,
            examples=_pairs(context, [(scan.rows[a], scan.rows[b]) for a, b in ordered.tolist()]),
        )
    ]


def grouping(context: CheckContext) -> list[Finding]:
    """Pass on what was odd about how the groups were found."""
    if not context.has_groups:
        raise NotApplicable("the data set names no groups")
    notice = context.manifest.notice
    if notice is None:
        return []
    return [Finding("warning", "Groups may change with a copy of the files", notice)]


def straddling_groups(context: CheckContext) -> list[Finding]:
    """Name groups of which the given split puts some images into train and some into test."""
    manifest = context.manifest
    if "test" not in manifest.splits:
        raise NotApplicable("the data set gives no split")
    torn = straddling(context.groups, manifest.splits)
    if not torn:
        return []
    return [
        Finding(
            "error",
            f"{amount(len(torn), 'group')} on both sides of the given split",
            "Images of one group, or exact copies, are both in train and in test, so that the test "
            "rewards recognising the part: " + ", ".join([*torn][:5]) + ".",
            "Correct the split column, or leave it out with data.split_column=null: alvision then "
            "splits by whole groups.",
            examples=_pairs(context, torn.values()),
        )
    ]


def _apart(context: CheckContext, pairs: NDArray[np.intp]) -> tuple[NDArray[np.intp], str]:
    groups = [context.group(p) for p in range(len(context.scan.rows))]
    apart = pairs[_differs(pairs, groups)]
    if len(apart) == 0:
        return apart, "Nothing to do: each set is within one group, which is kept whole."
    if context.has_groups:
        return apart, (
            "Look at the pairs: if they show one part, give them one group, or the test part "
            "holds pictures that the model was trained on."
        )
    return apart, (
        "Look at the pairs: if they show one part, set groups (data.group_by: column, parent, "
        "pattern or capture_time), or the test part holds pictures that the model was trained on."
    )


def _differs(pairs: NDArray[np.intp], values: list[str] | list[str | None]) -> NDArray[np.bool_]:
    return np.array(
        [None not in (values[a], values[b]) and values[a] != values[b] for a, b in pairs.tolist()],
        dtype=bool,
    )


def _other_class(context: CheckContext, rows: list[int]) -> int | None:
    truth = context.manifest.truth
    return next(
        (
            row
            for row in rows
            if None not in (truth[row], truth[rows[0]]) and truth[row] != truth[rows[0]]
        ),
        None,
    )


def _pairs(context: CheckContext, rows: Iterable[Sequence[int]]) -> tuple[Example, ...]:
    manifest = context.manifest
    examples: list[Example] = []
    used: set[int] = set()
    for pair in rows:
        if len(examples) == EXAMPLES:
            break
        if used & set(pair):
            continue
        used |= set(pair)
        known = [manifest.truth[row] or "no class" for row in pair]
        caption = "" if known == ["no class"] * 2 else " / ".join(dict.fromkeys(known))
        examples.append(Example(tuple(manifest.ids[row] for row in pair), caption))
    return tuple(examples)
