"""What a study shows, in sentences: a pure function of its numbers."""

from __future__ import annotations

from typing import Literal

from alvision.study.statistics import Ratio
from alvision.study.summary import Comparison, Row, significant

Outcome = Literal["baseline", "fewer", "better", "worse", "not shown"]


def outcome(row: Row) -> Outcome:
    """Name what is shown about an acquisition function.

    `fewer`: its curve is higher than the baseline's (p <= .05 after Holm) and the interval of the
    label ratio lies above 1. `better`: the first only. `worse`: its curve is lower. Else
    `not shown`. As every claim needs the corrected p-value, the chance of claiming anything in a
    study without differences is at most .05, however many strategies it has.
    """
    if row.difference is None:
        return "baseline"
    if not significant(row):
        return "not shown"
    if row.difference.value < 0:
        return "worse"
    if row.ratio and row.ratio.low is not None and row.ratio.low > 1:
        return "fewer"
    return "better"


def sentence(row: Row, comparison: Comparison) -> str:
    """Say in one sentence what is shown about an acquisition function, or why nothing is."""
    study = comparison.study
    what = outcome(row)
    if what == "baseline" and row is not comparison.baseline:
        return f"{row.acquisition}: not shown: the study has no random_sampling to compare with"
    if what == "baseline" or row.difference is None:
        return f"{row.acquisition} is what the others are compared with"
    if what == "fewer" and row.ratio:
        return (
            f"{row.acquisition} needs {_times(row.ratio)} x fewer labels than random to reach "
            f"{_target(comparison)} ({_interval(row.ratio)}, {row.seeds} seeds, "
            f"p = {row.p_value:.2g}{_open_seeds(comparison)})"
        )
    gap = (
        f"its {study.metric_title} is {abs(row.difference.value):.3f} "
        f"{'lower' if row.difference.value < 0 else 'higher'} on average over the curve "
        f"(95 % interval of the difference {row.difference.low:+.3f} to "
        f"{row.difference.high:+.3f}, {row.seeds} seeds"
    )
    if what == "worse":
        return f"{row.acquisition} is worse than random: {gap}, p = {row.p_value:.2g})"
    if what == "better":
        return (
            f"{row.acquisition}: not shown that it needs fewer labels than random, because "
            f"{_why_no_ratio(row, comparison)}; but {gap}, p = {row.p_value:.2g})"
        )
    return f"{row.acquisition}: not shown: {_why_no_difference(row, comparison)}; {gap})"


def verdict(comparison: Comparison) -> str:
    """Say in one line what the whole study shows, or that nothing is shown and why."""
    found = {row.acquisition: outcome(row) for row in comparison.rows}
    if comparison.baseline is None:
        return "Not shown: the study has no random_sampling to compare with."
    if not comparison.others:
        return "Not shown: the study has no acquisition but random_sampling."
    worse = [name for name, what in found.items() if what == "worse"]
    note = f" Worse than random: {', '.join(worse)}." if worse else ""
    winners = [row for row in comparison.others if found[row.acquisition] == "fewer"]
    if winners:
        best = max(winners, key=lambda row: (row.ratio and row.ratio.low) or 0)
        also = [f"{row.acquisition} ({_short(row.ratio)})" for row in winners if row is not best]
        more = f" Fewer as well: {', '.join(also)}." if also else ""
        return f"{sentence(best, comparison)}.{more}{note}"
    better = [row for row in comparison.others if found[row.acquisition] == "better"]
    if better:
        best = max(better, key=lambda row: row.difference.value if row.difference else 0)
        return f"Not shown how many labels are saved. {sentence(best, comparison)}.{note}"
    if len(comparison.study.seeds) < comparison.seeds_needed:
        return f"Not shown: {_too_few(comparison)}."
    if worse and len(worse) == len(comparison.others):
        return f"Not shown: nothing beats random.{note}"
    detectable = max(row.detectable or 0 for row in comparison.others)
    return (
        f"Not shown: no strategy beats random in {len(comparison.study.seeds)} seeds, which would "
        f"find a true gain of {detectable:.3f} {comparison.study.metric_title} on average over the "
        f"curve 4 times out of 5.{note}"
    )


def _why_no_difference(row: Row, comparison: Comparison) -> str:
    if row.p_value is None:
        return _too_few(comparison)
    reason = f"p = {row.p_value:.2g} after Holm's correction"
    if row.detectable is not None:
        reason += (
            f" (these {row.seeds} seeds would find a true difference of {row.detectable:.3f} "
            "4 times out of 5)"
        )
    return reason


def _too_few(comparison: Comparison) -> str:
    many = comparison.comparisons
    return (
        f"{many} comparison{'s' * (many != 1)} with random need{'s' * (many == 1)} at least "
        f"{comparison.seeds_needed} seeds for a p-value of 0.05; the study has "
        f"{len(comparison.study.seeds)}"
    )


def _why_no_ratio(row: Row, comparison: Comparison) -> str:
    if comparison.study.target is None:
        return "there is no target: no full-data run and no target.value"
    if row.missed:
        return f"it never reaches {_target(comparison)} in {row.missed} of {row.seeds} seeds"
    if row.ratio is None:
        return f"{_target(comparison)} is not reached"
    return (
        f"the ratio of labels to reach {_target(comparison)} is {_times(row.ratio)} and its "
        f"{_interval(row.ratio)} does not lie above 1"
    )


def _target(comparison: Comparison) -> str:
    """Name the target; the default one differs by seed, so its mean is told."""
    study = comparison.study
    if study.target is None:
        return f"a {study.metric_title} that nobody named"
    return f"{study.metric_title} {study.target.mean():.2f}"


def _times(ratio: Ratio) -> str:
    return f"{ratio.value:.2f}" if ratio.bound == "exact" else f"{ratio.bound} {ratio.value:.2f}"


def _short(ratio: Ratio | None) -> str:
    return f"{_times(ratio)} x" if ratio else ""


def _interval(ratio: Ratio) -> str:
    if ratio.high is None:
        return f"95 % interval from {ratio.low:.2f} up"
    if ratio.low is None:
        return f"95 % interval up to {ratio.high:.2f}"
    return f"95 % interval {ratio.low:.2f} to {ratio.high:.2f}"


def _open_seeds(comparison: Comparison) -> str:
    random = comparison.baseline
    if random is None or not random.missed:
        return ""
    return f"; random never reaches it in {random.missed} of {random.seeds} seeds"
