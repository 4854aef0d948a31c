"""A comparison as a table: Markdown for documents, rich for the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from alvision.evaluation.intervals import Estimate
from alvision.study.cells import Cells, cells
from alvision.study.collect import THROUGHOUT
from alvision.study.export import tables, to_markdown
from alvision.study.statistics import Ratio
from alvision.study.summary import Comparison
from alvision.study.verdict import random_of, verdict

_HEAD = (
    "acquisition",
    "seeds",
    "area under the curve",
    "difference to random",
    "labels to target",
    "x fewer than random",
    "p (Holm)",
)
_AFTER_START = ("difference to random_sampling, same start", "p (Holm)")
"""Columns of a study that has both kinds of random labels."""
_TITLES = {
    "pairs": "Every two, corrected over all pairs",
    "classes": "Classes",
    "costs": "Time of labelling",
    "discovery": "Defects found",
}
"""Tables of a document beside the main one."""
_NARROW = {
    0: "acquisition",
    2: "area under\nthe curve",
    4: "labels to\ntarget",
    5: "x fewer\nthan random",
    6: "p",
}
"""Columns that fit a terminal, by their place in the head."""


def markdown(comparison: Comparison) -> str:
    """Return the comparison as a Markdown table with its legend."""
    head: tuple[str, ...] = _HEAD
    rows = _rows(comparison)
    if comparison.study.same_start:
        head = (*_HEAD, *_AFTER_START)
        rows = [(*texts, *more) for texts, more in zip(rows, _after_start(comparison), strict=True)]
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*table, "", legend(comparison), ""])


def document(comparison: Comparison) -> str:
    """Return everything for a Markdown document: the verdict and all tables."""
    parts = [
        verdict(comparison),
        markdown(comparison).rstrip(),
    ]
    found = tables(comparison)
    for name, title in _TITLES.items():
        if found[name]:
            parts.append(f"## {title}\n{to_markdown(found[name])}")
    return "\n\n".join(parts) + "\n"


def table(comparison: Comparison) -> Table:
    """Return the comparison as a rich table that fits 80 columns, so with the main numbers only."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        caption=legend(comparison),
        caption_justify="left",
    )
    for place, head in _NARROW.items():
        shown.add_column(head, justify="right" if place else "left", no_wrap=True)
    for texts in _rows(comparison):
        shown.add_row(*(Text(texts[place]) for place in _NARROW))
    return shown


def legend(comparison: Comparison) -> str:
    """Say in one line what the columns hold and what the target is."""
    study = comparison.study
    if study.target is None:
        target = "There is no target: no full-data run and no target.value."
    else:
        target = f"Target: {study.metric_title} {study.target.mean():.3f}"
        if study.full is not None:
            # The default target differs by seed, a given one does not: tell them apart.
            share = study.target / study.full
            if share.max() - share.min() < 1e-9:
                target += f" on average, {100 * share[0]:.0f} % of each seed's full-data score"
            else:
                target += f" (full data: {study.full.mean():.3f})"
        target += ", held for two rounds; blank where a seed never does."
    seeds = len(study.seeds)
    spread = "s; in brackets 95 % intervals" if seeds > 1 else ", which has no interval"
    return (
        f"Mean {study.metric_title} over the learning curve, {seeds} seed{spread}. "
        f"{target} p: paired sign flips against random, "
        f"Holm's correction for {comparison.comparisons} "
        f"comparison{'s' * (comparison.comparisons != 1)}.{_which_random(comparison)}"
    )


def _which_random(comparison: Comparison) -> str:
    if comparison.study.baseline != THROUGHOUT:
        return ""
    said = f" Random: {random_of(comparison)} ({THROUGHOUT})"
    return f"{said}; the others share a seed's first labels."


def _after_start(comparison: Comparison) -> list[tuple[str, str]]:
    shown = [cells(row, comparison) for row in comparison.rows]
    return [(_estimate(x.after_start, "+.3f"), _p_value(x.after_start_p_value)) for x in shown]


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    return [_texts(cells(row, comparison)) for row in comparison.rows]


def _texts(shown: Cells) -> tuple[str, ...]:
    return (
        shown.acquisition,
        str(shown.seeds),
        _estimate(shown.area, ".3f"),
        _estimate(shown.difference, "+.3f"),
        "" if shown.labels_to_target is None else f"{shown.labels_to_target:.0f}",
        ratio_cell(shown.ratio),
        _p_value(shown.p_value),
    )


def _p_value(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _estimate(estimate: Estimate | None, form: str) -> str:
    if estimate is None:
        return ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def ratio_cell(ratio: Ratio | None) -> str:
    """Return a ratio with its bound and its interval; nothing for None."""
    if ratio is None:
        return ""
    sign = {"exact": "", "at least": ">= ", "at most": "<= "}[ratio.bound]
    low = "-" if ratio.low is None else f"{ratio.low:.2f}"
    high = "-" if ratio.high is None else f"{ratio.high:.2f}"
    return f"{sign}{ratio.value:.2f} [{low}, {high}]"
