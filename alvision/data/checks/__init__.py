"""Checks of a data set before anyone spends a label on it.

Each check returns findings and changes nothing. Pages about them are in `reporting/`, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alvision.core.records import SECONDS_PER_LABEL
from alvision.data.checks import copies, files, learning
from alvision.data.checks.context import CheckContext
from alvision.data.checks.findings import (
    SEVERITIES,
    CheckResult,
    Example,
    Finding,
    NotApplicable,
    Severity,
    Table,
    amount,
    duration,
)
from alvision.data.checks.scan import Progress, scan_images
from alvision.data.splits import group_keys

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest

__all__ = ["CheckResult", "Example", "Finding", "Severity", "Table", "check", "duration"]

CHECKS: dict[str, Callable[[CheckContext], list[Finding]]] = {
    "every file can be read": files.unreadable,
    "the images use the depth of their files": files.depth,
    "all files are of one kind": files.kinds,
    "all pictures have the same size": files.sizes,
    "pictures have the proportions of the network's frame": files.proportions,
    "the resize keeps small defects visible": files.shrinking,
    "no exact duplicates": copies.exact_duplicates,
    "no near duplicates": copies.near_duplicates,
    "groups follow from the pictures or their names": copies.grouping,
    "no group straddles the given split": copies.straddling_groups,
    "classes counted": learning.classes,
    "no shortcut in format, mode, size, camera or date": learning.shortcut_findings,
    "no leak between groups": learning.leaks,
}
"""What is said where a check finds nothing, and the check."""


def check(
    manifest: Manifest,
    hashes: Mapping[SampleId, str],
    spec: ImageSpec,
    *,
    classes: Sequence[str] | None = None,
    held_out: Collection[SampleId] = (),
    seconds_per_label: float = SECONDS_PER_LABEL,
    progress: Progress | None = None,
    seed: int = 0,
) -> CheckResult:
    """Look over a data set: files, copies, groups, classes, leaks, shortcuts and the work ahead.

    Every image is decoded once. What needs the truth is skipped, and said to be, without it.

    Args:
        manifest: The images; their truth is read where it is known.
        hashes: sha256 of each image's bytes.
        spec: The evaluation transform.
        classes: The configured classes.
        held_out: Images whose classes must not be doubted here: whoever corrects those that a check
            finds odd, and no others, measures the model on images that fit it too well.
        seconds_per_label: Time for one answer.
        progress: Called with (images done, images in all).
        seed: Of the folds.
    """
    truth = zip(manifest.ids, manifest.truth, strict=True)
    kept = tuple(None if id in held_out else label for id, label in truth)
    left_out = kept.count(None) - manifest.truth.count(None)
    manifest = replace(manifest, truth=kept)
    context = CheckContext(
        manifest=manifest,
        hashes=hashes,
        groups=group_keys(manifest, hashes),
        scan=scan_images(manifest, spec, progress),
        classes=None if classes is None else tuple(classes),
        left_out=left_out,
        seed=seed,
    )
    findings = [_left_out(left_out)] if left_out else []
    passed, skipped = [], []
    for all_clear, look in CHECKS.items():
        try:
            found = look(context)
        except NotApplicable as reason:
            skipped.append(f"{all_clear}: not tested, {reason}")
            continue
        findings += found
        if not found:
            passed.append(all_clear)
    distinct = len({hashes.get(id, id) for id in manifest.ids if id not in context.scan.unreadable})
    hours = distinct * seconds_per_label / 3600
    findings.append(_effort(distinct, hours, seconds_per_label))
    return CheckResult(
        images=len(manifest),
        readable=len(context.scan.rows),
        findings=tuple(sorted(findings, key=lambda found: SEVERITIES.index(found.severity))),
        passed=tuple(passed),
        skipped=tuple(skipped),
        hours=hours,
        seconds_per_label=seconds_per_label,
        unreadable=context.scan.unreadable,
    )


def _left_out(images: int) -> Finding:
    return Finding(
        "note",
        f"The classes of {amount(images, 'held-out image')} are left out of every check",
        "They measure the model. If people corrected only those that look odd here, the figures "
        "and the promise of a threshold would be too good.",
    )


def _effort(images: int, hours: float, seconds: float) -> Finding:
    return Finding(
        "note",
        f"Labelling everything takes {duration(hours)}",
        f"{amount(images, 'image')} at {seconds:g} s an answer, exact copies asked once, without "
        "pauses or second opinions. Active learning asks for a part of them.",
    )
