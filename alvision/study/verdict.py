"""What a study shows, in sentences: a pure function of its numbers.

Each sentence says what was found before what was not, and claims nothing that its own interval
denies.
"""

from __future__ import annotations

from typing import Literal

from alvision.evaluation.intervals import Estimate
from alvision.study.collect import BASELINE, THROUGHOUT
from alvision.study.discovery import DiscoveryRow
from alvision.study.statistics import LEVEL, Ratio
from alvision.study.summary import AfterStart, Comparison, Row, significant

Outcome = Literal["baseline", "fewer", "better", "worse", "not shown"]

RANDOM = {
    BASELINE: "random sampling",
    THROUGHOUT: "random labelling from first to last",
}
"""What a baseline is called in a sentence."""


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
    """Say what is shown about an acquisition function, then what is not, and why."""
    what = outcome(row)
    if what == "baseline" and row is not comparison.baseline:
        return f"{row.acquisition} has no baseline: the study has no {BASELINE}."
    if what == "baseline" or row.difference is None:
        return f"The others are compared with {row.acquisition}."
    gap = _gap(row, row.difference, comparison)
    if what == "not shown":
        return f"{row.acquisition}: {gap}. {_why(row, comparison)}."
    verb = "did worse than" if what == "worse" else "beat"
    claim = f"{row.acquisition} {verb} {random_of(comparison)} here: {gap}"
    if _covers_zero(row.difference):
        # Sign flips and the interval weigh an outlying seed differently, so they can disagree.
        claim += f". That rests on the paired test alone: the {_CI} includes 0"
    return f"{claim}." if what == "worse" else f"{claim}. {_labels(row, comparison)}."


def verdict(comparison: Comparison) -> str:
    """Say what the whole study shows, or that it shows nothing and why."""
    return " ".join(filter(None, [_of_curves(comparison), discovery_sentence(comparison)]))


def discovery_sentence(comparison: Comparison) -> str | None:
    """Say who finds half of the pool's defects soonest; None where nobody does.

    Shown is what needs fewer labels than the baseline, p at most .05 after Holm.
    """
    half = [row for row in comparison.discovery if row.share == comparison.discovery[0].share]
    base = next((row for row in half if row.acquisition == comparison.study.baseline), None)
    if base is None or len(half) == 1 or not any(row.reached for row in half):
        return None
    random = f"{_after(base)} with {random_of(comparison)}"
    fewer = [row for row in half if row.fewer]
    if not fewer:
        return (
            f"Half of the pool's defects are found {random}, and no strategy was shown to need "
            "fewer labels for that."
        )
    best = min(fewer, key=lambda row: (row.median, row.censored))
    facts = f"p = {best.p_value:.2g}"
    if best.ratio:
        facts = f"{_times(best.ratio)} fewer, {_CI} {_ends(best.ratio)}, {facts}"
    return (
        f"Half of the pool's defects are found {_after(best)} with {best.acquisition} and {random} "
        f"({facts})."
    )


def _after(row: DiscoveryRow) -> str:
    many = f"after {row.text} labels"
    return f"{many} (median; {row.reached} of {len(row.labels)} seeds get there)"


def _of_curves(comparison: Comparison) -> str:
    if comparison.baseline is None:
        return f"Nothing can be compared: the study has no {BASELINE}."
    if not comparison.others:
        only = comparison.baseline.acquisition
        return f"Nothing can be compared: the study has no acquisition but {only}."
    of = {
        what: [row for row in comparison.others if outcome(row) == what]
        for what in ("fewer", "better", "worse", "not shown")
    }
    if of["fewer"]:
        best = max(of["fewer"], key=lambda row: (row.ratio and row.ratio.low) or 0)
    elif of["better"]:
        best = max(of["better"], key=lambda row: row.difference.value if row.difference else 0)
    else:
        return _nothing_better(comparison, of["worse"])
    said = [sentence(best, comparison)]
    if best.after_start:
        said.append(_after_start(best.after_start, best))
    if also := [f"{x.acquisition} ({_times(x.ratio)})" for x in of["fewer"] if x is not best]:
        said.append(f"Fewer labels as well: {', '.join(also)}.")
    if also := [f"{x.acquisition} ({_gain(x)})" for x in of["better"] if x is not best]:
        said.append(f"Higher curves as well: {', '.join(also)}.")
    if of["worse"]:
        said.append(f"Worse than {random_of(comparison)}: {_names(of['worse'])}.")
    return " ".join(said)


def random_of(comparison: Comparison) -> str:
    """Name what the others are compared with, in the middle of a sentence."""
    return RANDOM[comparison.study.baseline or BASELINE]


def _nothing_better(comparison: Comparison, worse: list[Row]) -> str:
    many = len(comparison.study.seeds)
    if many < comparison.seeds_needed:
        return f"Too few seeds to tell: {_too_few(comparison)}."
    found = ""
    if worse:
        numbers = ", ".join(f"{row.acquisition} ({_gain(row)})" for row in worse)
        found = f"Worse than {random_of(comparison)}: {numbers}. "
        if len(worse) == len(comparison.others):
            return f"{found}Nothing beat it."
    said = f"{found}No strategy was shown to beat {random_of(comparison)} in {many} seeds"
    known = [row.detectable for row in comparison.others if row.detectable is not None]
    if not known:
        return f"{said}."
    return (
        f"{said}, which would find a true gain of {max(known):.3f} "
        f"{comparison.study.metric_title}, averaged over the curve, 4 times out of 5."
    )


_CI = "95 % CI"


def _after_start(found: AfterStart, row: Row) -> str:
    """Say what the choice after the first labels adds, or that it is not shown to add anything."""
    gain = found.difference
    facts = f"{gain.value:+.3f} ({_CI} {gain.low:+.3f} to {gain.high:+.3f}"
    facts += ")" if found.p_value is None else f", p = {found.p_value:.2g})"
    said = f"Against random sampling after the same first labels it is {facts}"
    if found.p_value is None or found.p_value > LEVEL:
        return f"{said}, so how much of that its choice after them gives is not shown."
    if (gain.value or 0) < 0:
        return f"{said}: the first labels gave the gain, and its choice after them cost some of it."
    return f"{said}."


def _gap(row: Row, difference: Estimate, comparison: Comparison) -> str:
    """Return the difference of the areas with its interval, the seeds and the p-value."""
    facts = [f"{row.seeds} seed{'s' * (row.seeds != 1)}"]
    if row.seeds > 1:  # one seed tells no spread
        facts.insert(0, f"{_CI} {difference.low:+.3f} to {difference.high:+.3f}")
    if row.p_value is not None:
        facts.append(f"p = {row.p_value:.2g}")
    return (
        f"{comparison.study.metric_title} {difference.value:+.3f} averaged over the curve "
        f"({', '.join(facts)})"
    )


def _why(row: Row, comparison: Comparison) -> str:
    """Say why a difference is not shown, and which one would have been."""
    if row.p_value is None and len(comparison.study.seeds) >= comparison.seeds_needed:
        return "That shows nothing: the curve of a seed holds something that is no number"
    if row.p_value is None:
        return f"That shows nothing yet: {_too_few(comparison)}"
    reason = f"That does not tell it from {random_of(comparison)}"
    if row.detectable is not None:
        reason += (
            f"; these {row.seeds} seeds would find a true difference of {row.detectable:.3f} "
            "4 times out of 5"
        )
    return reason


def _labels(row: Row, comparison: Comparison) -> str:
    """Say what is known about the labels that a better strategy needs."""
    ratio, target = row.ratio, _target(comparison)
    if target is None:
        return (
            "Whether it needs fewer labels is unknown: there is no target, neither a full-data run "
            "nor a target.value"
        )
    if ratio is None:
        reason = f"{_missed(row)} {target}" if row.missed else f"some seeds start above {target}"
        return f"Whether it needs fewer labels is unknown: {reason}"
    numbers = f"{_times(ratio)}, {_CI} {_ends(ratio)}"
    if ratio.low is not None and ratio.low > 1:
        said = f"To reach {target} it needs {_times(ratio)} fewer labels ({_CI} {_ends(ratio)})"
        random = comparison.baseline
        if random is not None and random.missed:
            said += (
                f"; {random_of(comparison)} never reaches it in {random.missed} of "
                f"{random.seeds} seeds"
            )
        return said
    if ratio.high is not None and ratio.high < 1:
        return f"But to reach {target} it needs more labels, not fewer ({numbers})"
    if ratio.low == ratio.high == 1:
        return f"To reach {target} it needs as many labels ({numbers})"
    missed = f"; {_missed(row)} {target}" if row.missed else ""
    return f"Whether it needs fewer labels is inconclusive ({numbers}){missed}"


def _missed(row: Row) -> str:
    return f"in {row.missed} of {row.seeds} seeds it never reaches"


def _too_few(comparison: Comparison) -> str:
    many = comparison.comparisons
    return (
        f"{many} comparison{'s' * (many != 1)} with {random_of(comparison)} "
        f"need{'s' * (many == 1)} at least {comparison.seeds_needed} seeds for a p-value of 0.05, "
        f"and the study has {len(comparison.study.seeds)}"
    )


def _target(comparison: Comparison) -> str | None:
    """Name the target by its mean, because the default one differs by seed; None without one."""
    study = comparison.study
    return None if study.target is None else f"{study.metric_title} {study.target.mean():.2f}"


def _covers_zero(difference: Estimate) -> bool:
    low, high = difference.low, difference.high
    return low is not None and high is not None and low <= 0 <= high


def _gain(row: Row) -> str:
    return f"{row.difference.value:+.3f}" if row.difference else ""


def _names(rows: list[Row]) -> str:
    return ", ".join(row.acquisition for row in rows)


def _times(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    bound = "" if ratio.bound == "exact" else f"{ratio.bound} "
    return f"{bound}{ratio.value:.2f}x"


def _ends(ratio: Ratio) -> str:
    if ratio.low is None:
        return "unbounded" if ratio.high is None else f"up to {ratio.high:.2f}"
    return f"from {ratio.low:.2f} up" if ratio.high is None else f"{ratio.low:.2f}-{ratio.high:.2f}"
