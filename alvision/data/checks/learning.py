"""Checks of what a model would learn: the classes, and ways to be right for the wrong reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from pathlib import PurePosixPath

from alvision.core.records import NOT_CLASSES
from alvision.data.checks.context import CheckContext
from alvision.data.checks.findings import (
    Example,
    Finding,
    NotApplicable,
    Table,
    amount,
    listing,
    percent,
)
from alvision.data.checks.leak import ALPHA, file_order_blocks, leak
from alvision.data.checks.scan import UNKNOWN, FileFacts
from alvision.data.checks.shortcut import LEAST_UNITS, Shortcut, bins, shortcuts

EXAMPLES = 6
FEW = 10
"""Images below which a class can hardly be learned and not be measured at all."""
MOST_VALUES = 20
"""Distinct sizes or dates that are tested as they are; more are put into bins."""
TELLING = 0.65
"""Balanced accuracy from which a fact counts as a shortcut."""
TELLING_BYTES = 0.95
"""The same for the size in bytes, which follows from the content too: texture compresses badly."""
BYTES = "size in bytes"


def classes(context: CheckContext) -> list[Finding]:
    """Count the images of each class and compare the names with the configured ones."""
    truth = [label for label in context.manifest.truth if label is not None]
    if not truth:
        raise NotApplicable("no class is known yet")
    counts = Counter(truth)
    named = context.classes or tuple(sorted(counts))
    few = [label for label in named if 0 < counts[label] < FEW]
    absent = [label for label in named if label not in counts]
    unknown = sorted(set(counts) - set(named))
    missing = len(context.manifest) - len(truth) - context.left_out
    largest, smallest = max(counts.values()), min(counts.values())
    findings = [
        Finding(
            "note",
            f"{amount(len(counts), 'class')}, the largest {largest / smallest:.1f} times "
            "the smallest",
            f"The class of {amount(missing, 'image')} is not known." if missing else "",
            table=Table(
                ("class", "images", "share"),
                tuple(
                    (label, f"{n:,}", percent(n / len(truth))) for label, n in counts.most_common()
                ),
            ),
        )
    ]
    if unknown:
        findings.append(
            Finding(
                "error",
                f"{amount(len(unknown), 'class')} in the data that the configuration does not name",
                f"{listing(unknown)}; configured are {listing(named)}.",
                "Add them to classes=[...], or correct the labels.",
                examples=_examples_of(context, unknown),
            )
        )
    if absent:
        findings.append(
            Finding(
                "warning",
                f"{amount(len(absent), 'configured class')} without an image",
                f"{listing(absent)}; in the data are {listing(sorted(counts))}.",
                "Check the spelling; a class without an image cannot be found or measured.",
            )
        )
    if few:
        findings.append(
            Finding(
                "warning",
                f"{amount(len(few), 'class')} with fewer than {FEW} images",
                listing([f"{label} ({counts[label]})" for label in few]),
                "Collect more, or merge it into a class that is treated alike on the line.",
                examples=_examples_of(context, few),
            )
        )
    if len(counts) == 1:
        findings.append(
            Finding(
                "warning", "Every known image is of one class", f"All are {next(iter(counts))}."
            )
        )
    reserved = sorted(set(counts) & set(NOT_CLASSES))
    if reserved:
        findings.append(
            Finding(
                "error",
                f"No class may be called {' or '.join(reserved)}",
                "These words answer a question without naming a class.",
                "Rename the class.",
            )
        )
    return findings


def leaks(context: CheckContext) -> list[Finding]:
    """Tell how much a random split would flatter, by the nearest neighbour's accuracy."""
    positions = context.labelled
    truth = [str(context.label(p)) for p in positions]
    groups, known = _groups(context)
    result = leak(context.scan.vectors[list(positions)], truth, groups, context.seed)
    if result is None:
        raise NotApplicable(
            "the leak test needs two classes that are each in several groups, and 8 groups"
        )
    what = "groups" if known else "runs of neighbouring files"
    detail = (
        f"By its nearest neighbour among small grey pictures, {percent(result.random)} of "
        f"{amount(result.images, 'image')} get their class right in a random split, "
        f"{percent(result.grouped)} if {what} are kept whole (always the largest class: "
        f"{percent(result.chance)}; {amount(result.groups, 'group' if known else 'run')}, "
        f"p = {result.p_value:.2g})."
    )
    points = f"{100 * result.drop:.0f} points"
    if not result.shown:
        title = "Hardly a leak" if result.p_value < ALPHA else "No leak shown"
        return [Finding("note", f"{title} between {what}", detail)]
    if known:
        return [
            Finding(
                "note",
                f"A random split would flatter by {points}",
                detail + " Pictures of one group give each other away.",
                "Nothing to do here: alvision keeps groups whole. Compare with no figure that "
                "comes from a random split.",
            )
        ]
    return [
        Finding(
            "warning",
            f"Neighbouring files look alike: a random split flatters by {points}",
            detail + " Neighbouring files seem to show one part, shift or strip.",
            "Say what belongs together: data.group_by=parent, pattern or capture_time, or a group "
            "column. Otherwise every score promises more than the line will see.",
        )
    ]


def shortcut_findings(context: CheckContext) -> list[Finding]:
    """Name what gives a class away without a look at the picture."""
    context.need_files()
    positions = context.labelled
    truth = [str(context.label(p)) for p in positions]
    if len(set(truth)) < 2:
        raise NotApplicable("the shortcut test needs two classes")
    facts = facts_of([context.scan.files[p] for p in positions])
    found = shortcuts(facts, truth, [context.group(p) for p in positions], context.seed)
    by_fact: dict[str, list[Shortcut]] = defaultdict(list)
    for shortcut in found:
        least = TELLING_BYTES if shortcut.fact == BYTES else TELLING
        if shortcut.balanced_accuracy >= least:
            by_fact[shortcut.fact].append(shortcut)
    return [_shortcut(context, fact, by_fact[fact], facts[fact]) for fact in by_fact]


def facts_of(files: list[FileFacts]) -> dict[str, list[str]]:
    """Return what is known of N pictures without looking at them, by name, as few values each."""
    sizes = [f"{file.width} × {file.height}" for file in files]
    if len(set(sizes)) > MOST_VALUES:
        sizes = [f"{n} pixels" for n in bins([file.width * file.height for file in files])]
    days = [file.day for file in files]
    if len(set(days)) > MOST_VALUES:
        days = _binned_days(days)
    return {
        "file format": [file.format for file in files],
        "colour mode": [file.mode for file in files],
        "image size": sizes,
        "camera": [file.camera for file in files],
        "date of capture": days,
        BYTES: bins([file.bytes for file in files]),
    }


def _binned_days(days: list[str]) -> list[str]:
    numbers = [_ordinal(day) for day in days]
    known = [number for number in numbers if number is not None]
    if not known:
        return [UNKNOWN] * len(days)
    names = dict(zip(known, bins(known), strict=True))
    return [UNKNOWN if number is None else f"day {names[number]}" for number in numbers]


def _ordinal(day: str) -> int | None:
    try:
        return date.fromisoformat(day).toordinal()
    except ValueError:
        return None


def _shortcut(
    context: CheckContext, fact: str, found: list[Shortcut], values: list[str]
) -> Finding:
    worst = found[0]
    rows = tuple(
        (
            shortcut.label,
            shortcut.value,
            percent(shortcut.share),
            percent(shortcut.share_elsewhere),
            f"{shortcut.balanced_accuracy:.2f}",
            f"{shortcut.p_value:.1g}",
        )
        for shortcut in found
    )
    with_value = [
        p for p, value in zip(context.labelled, values, strict=True) if value == worst.value
    ]
    telling = [p for p in with_value if context.label(p) == worst.label][: EXAMPLES // 2]
    against = [
        p
        for p, value in zip(context.labelled, values, strict=True)
        if (context.label(p) == worst.label) != (value == worst.value)
    ][: EXAMPLES // 2]
    return Finding(
        "warning",
        f"The {fact} alone gives away {listing([shortcut.label for shortcut in found], 2)}",
        f"{percent(worst.share)} of {worst.label} have {fact} {worst.value}, "
        f"but {percent(worst.share_elsewhere)} of all other images. A network can learn this "
        "instead of the defect, and will fail when the line records its pictures another way. "
        f"Balanced accuracy of the {fact} alone, cross-validated; 0.50 is chance. Classes in "
        f"fewer than {LEAST_UNITS} groups are not tested.",
        "Record all classes alike, or re-encode every picture in one way before training; at the "
        "least, do not trust the score of this class.",
        examples=tuple(
            Example((context.id(p),), f"{context.label(p)}: {values[context.labelled.index(p)]}")
            for p in [*telling, *against]
        ),
        table=Table(
            ("class", fact, "of the class", "of the others", "balanced accuracy", "p (Holm)"), rows
        ),
    )


def _groups(context: CheckContext) -> tuple[list[str], bool]:
    groups = [context.group(p) for p in context.labelled]
    sizes = Counter(groups)
    shared = sum(sizes[group] > 1 for group in groups)
    if context.has_groups and 2 * shared >= len(groups):
        return groups, True
    folders = [str(PurePosixPath(context.id(p)).parent) for p in context.labelled]
    return file_order_blocks(folders), False


def _examples_of(context: CheckContext, labels: list[str]) -> tuple[Example, ...]:
    chosen = [
        (id, label)
        for id, label in zip(context.manifest.ids, context.manifest.truth, strict=True)
        if label in labels
    ]
    return tuple(Example((id,), str(label)) for id, label in chosen[:EXAMPLES])
