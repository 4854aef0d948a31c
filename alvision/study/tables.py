"""A comparison as a table: Markdown for documents, rich for the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table

from alvision.evaluation.intervals import Estimate
from alvision.study.statistics import Ratio
from alvision.study.summary import Comparison, Row

_HEAD = (
    "acquisition",
    "seeds",
    "area under the curve",
    "difference to random",
    "labels to target",
    "x fewer than random",
    "p (Holm)",
)


def markdown(comparison: Comparison) -> str:
    """Return the comparison as a Markdown table with its legend."""
    lines = [_HEAD, ("---", *["---:"] * (len(_HEAD) - 1)), *map(_cells, comparison.rows)]
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*rows, "", legend(comparison), ""])


def table(comparison: Comparison) -> Table:
    """Return the comparison as a rich table; print it with a rich console."""
    shown = Table(box=box.SIMPLE_HEAD, caption=legend(comparison), caption_justify="left")
    for place, head in enumerate(_HEAD):
        shown.add_column(head, justify="right" if place else "left")
    for row in comparison.rows:
        shown.add_row(*(cell.replace("[", "\\[") for cell in _cells(row)))
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
                target += f" on average, {share[0]:.0%} of each seed's full-data score"
            else:
                target += f" (full data: {study.full.mean():.3f})"
        target += ", held for two rounds; blank where a seed never does."
    return (
        f"Mean {study.metric_title} over the learning curve, {len(study.seeds)} seeds; in "
        f"brackets 95 % bootstrap intervals. {target} p: paired sign flips against random, "
        f"{comparison.comparisons} comparison{'s' * (comparison.comparisons != 1)}."
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.acquisition,
        str(row.seeds),
        _estimate(row.aubc, ".3f"),
        _estimate(row.difference, "+.3f"),
        "" if row.labels_to_target is None else f"{row.labels_to_target:.0f}",
        _ratio(row.ratio),
        "" if row.p_value is None else f"{row.p_value:.3f}",
    )


def _estimate(estimate: Estimate | None, form: str) -> str:
    if estimate is None:
        return ""
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    sign = {"exact": "", "at least": "≥ ", "at most": "≤ "}[ratio.bound]
    low = "" if ratio.low is None else f"{ratio.low:.2f}"
    high = "" if ratio.high is None else f"{ratio.high:.2f}"
    return f"{sign}{ratio.value:.2f} [{low}, {high}]"
