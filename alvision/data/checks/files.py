"""Checks of the files: can they be read, and are they all of one kind?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from alvision.data.checks.context import CheckContext
from alvision.data.checks.findings import Example, Finding, Table, amount, listing, percent

EXAMPLES = 6
MOST_ROWS = 8
MOST_SHRINK = 8.0
MOST_STRETCH = 2.0
MOST_CUT = 0.25
ODD_ASPECT = 1.5
ODD_AREA = 4.0
"""Times the median from which a picture counts as unlike the others."""


def unreadable(context: CheckContext) -> list[Finding]:
    """Name the files that cannot be read, with the reason."""
    found = context.scan.unreadable
    if not found:
        return []
    files = len(context.manifest) + len(context.manifest.set_aside)
    everything = len(found) == files
    return [
        Finding(
            "error" if everything else "warning",
            "No image can be read"
            if everything
            else f"{amount(len(found), 'file')} cannot be read",
            f"Of {amount(files, 'image')}: "
            + listing([f"{reason} ({n:,})" for reason, n in Counter(found.values()).most_common()])
            + ".",
            "Look at the reasons in the table; does data.root point to the pictures?"
            if everything
            else "Repair or remove them; a run sets them aside and goes on without them.",
            table=Table(("file", "reason"), tuple(list(found.items())[: 5 * MOST_ROWS])),
        )
    ]


def depth(context: CheckContext) -> list[Finding]:
    """Warn where the images use so little of their depth that they are read nearly black."""
    context.need_files()
    if context.scan.dark is None:
        return []
    found, advice = context.scan.dark.split(": ", 1)
    return [
        Finding(
            "warning",
            "The images are read nearly black",
            f"{found[0].upper()}{found[1:]}.",
            f"{advice[0].upper()}{advice[1:]}.",
        )
    ]


def kinds(context: CheckContext) -> list[Finding]:
    """Tell where file formats, colour modes or numbers of channels differ."""
    context.need_files()
    files = context.scan.files
    kind_of = [(file.format, file.mode, file.channels) for file in files]
    counts = Counter(kind_of).most_common()
    if len(counts) == 1:
        return []
    channels = Counter(file.channels for file in files)
    usual = counts[0][0]
    odd = [p for p, kind in enumerate(kind_of) if kind != usual]
    mixed = len(channels) > 1
    return [
        Finding(
            "warning" if mixed else "note",
            "Grey, colour or transparent pictures are mixed"
            if mixed
            else "File formats or colour modes differ",
            f"{amount(len(odd), 'image')} of {len(files):,} are not {usual[0]} {usual[1]}.",
            "Every picture is read as RGB; make sure that the kind does not depend on the class, "
            "the line or the day."
            if mixed
            else "",
            examples=tuple(
                Example((context.id(p),), f"{kind_of[p][0]} {kind_of[p][1]}")
                for p in _first_of_each(odd, kind_of)[:EXAMPLES]
            ),
            table=Table(
                ("format", "mode", "channels", "images"),
                tuple((f, m, str(c), f"{n:,}") for (f, m, c), n in counts[:MOST_ROWS]),
            ),
        )
    ]


def _first_of_each(positions: Sequence[int], kind_of: Sequence[tuple[str, str, int]]) -> list[int]:
    first = {kind_of[p]: p for p in reversed(positions)}
    return sorted(first.values()) + [p for p in positions if p not in first.values()]


def sizes(context: CheckContext) -> list[Finding]:
    """Tell where picture sizes differ, and which pictures are unlike the others."""
    context.need_files()
    files = context.scan.files
    counts = Counter((file.width, file.height) for file in files).most_common()
    if len(counts) == 1:
        return []
    # Logarithms, so that half as large is as odd as twice as large; turning a camera is not odd.
    widths = np.log([max(file.width, file.height) for file in files])
    heights = np.log([min(file.width, file.height) for file in files])
    aspect = np.abs((widths - heights) - np.median(widths - heights)) / np.log(ODD_ASPECT)
    area = np.abs((widths + heights) - np.median(widths + heights)) / np.log(ODD_AREA)
    oddness = np.maximum(aspect, area)
    odd = [int(p) for p in np.argsort(-oddness, kind="stable") if oddness[p] > 1]
    detail = (
        f"{len(counts):,} sizes, most often {counts[0][0][0]} × {counts[0][0][1]} pixels "
        f"({percent(counts[0][1] / len(files))} of the images)."
    )
    if odd:
        detail += (
            f" Unlike the others: {amount(len(odd), 'image')} with sides in another proportion "
            f"(over {ODD_ASPECT:g} times), or {ODD_AREA:g} times larger or smaller in area."
        )
    return [
        Finding(
            "warning" if odd else "note",
            f"{amount(len(odd), 'image')} of an unusual size" if odd else "Picture sizes differ",
            detail,
            "Are they photographs of the same kind? Each is fitted into the same frame."
            if odd
            else "",
            examples=tuple(
                Example((context.id(p),), f"{files[p].width} × {files[p].height}")
                for p in odd[:EXAMPLES]
            ),
            table=Table(
                ("size in pixels", "images"),
                tuple((f"{w} × {h}", f"{n:,}") for (w, h), n in counts[:MOST_ROWS]),
            ),
        )
    ]


def proportions(context: CheckContext) -> list[Finding]:
    """Warn where the fit into the network's frame distorts pictures, or leaves much of them out."""
    context.need_files()
    files = context.scan.files
    stretched = np.array([file.stretch for file in files])
    cut = np.array([file.cut_off for file in files])
    findings = []
    for values, limit, title, what, unit in (
        (stretched, MOST_STRETCH, "stretched more than twice", "stretched {:.1f} times", 1),
        (cut, MOST_CUT, "cut by more than a quarter", "{:.0f} % of it is not seen", 100),
    ):
        strong = np.flatnonzero(values > limit)
        if len(strong) == 0:
            continue
        worst = strong[np.argsort(-values[strong], kind="stable")]
        frames = Counter(files[p].frame for p in strong)
        (height, width), often = frames.most_common(1)[0]
        whole = f"data.image.size=[{height},{width}] fits {often:,} of them, at about one price; "
        findings.append(
            Finding(
                "warning",
                f"The fit into the network's frame: {amount(len(strong), 'image')} {title}",
                "Region and frame have other proportions.",
                whole + "data.image.fit=letterbox keeps the proportions of all.",
                examples=tuple(
                    Example((context.id(int(p)),), what.format(unit * values[p]))
                    for p in worst[:EXAMPLES]
                ),
            )
        )
    return findings


def shrinking(context: CheckContext) -> list[Finding]:
    """Warn where the resize makes pictures so much smaller that small defects vanish."""
    context.need_files()
    shrink = np.array([file.shrink for file in context.scan.files])
    strong = np.flatnonzero(shrink > MOST_SHRINK)
    if len(strong) == 0:
        return []
    worst = strong[np.argsort(-shrink[strong], kind="stable")]
    return [
        Finding(
            "warning",
            f"The resize shrinks {amount(len(strong), 'image')} more than {MOST_SHRINK:g} times",
            f"Up to {shrink.max():.0f} times: a defect less than {shrink.max():.0f} pixels wide "
            "becomes less than one pixel.",
            "Cut the inspected region out with data.image.crop, raise data.image.size, or set "
            "data.image.tiles=auto.",
            examples=tuple(
                Example((context.id(int(p)),), f"{shrink[p]:.1f} times smaller")
                for p in worst[:EXAMPLES]
            ),
        )
    ]
