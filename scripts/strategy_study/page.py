"""Write the benchmark page: every sentence and table is made from the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alvision.evaluation.intervals import Estimate, mean_interval
from alvision.study.markdown import markdown, ratio_cell
from alvision.study.statistics import sign_flip_test
from alvision.study.summary import Comparison, Row, significant
from alvision.study.verdict import random_of, verdict
from strategy_study.protocols import COMMON, PROTOCOLS, Protocol

Results = Mapping[str, Comparison]
"""Comparisons by protocol, in the order of PROTOCOLS."""


@dataclass(frozen=True)
class Record:
    """The results of a strategy over several protocols.

    Attributes:
        name: The strategy.
        better: Protocols where it was shown to be better than random.
        worse: Those where it was shown to be worse.
        gain: Mean over the protocols of its area less random's.
    """

    name: str
    better: tuple[str, ...]
    worse: tuple[str, ...]
    gain: float


def page(results: Results) -> str:
    """Return the part of docs/benchmark.md that is made from results."""
    own = {name: c for name, c in results.items() if not PROTOCOLS[name].curves_of}
    parts = [
        short(results),
        "### All protocols at a glance\n" + overview(own),
        "### Which strategy for which data\n" + advice(own),
    ]
    if batch := batch_bald(own):
        parts.append("### BatchBALD minus BALD\n" + batch)
    parts += [section(PROTOCOLS[name], comparison) for name, comparison in results.items()]
    return "\n\n".join(parts)


def records(results: Results, strategies: tuple[str, ...] = COMMON) -> list[Record]:
    """Return how each strategy fared where it was run, best first.

    Best: shown to be worse than random least often, then shown to be better most often, then the
    largest gain on average.
    """
    found = []
    for name in strategies:
        rows = {p: row for p, c in results.items() for row in c.others if row.acquisition == name}
        if not rows:
            continue
        shown = {p: row for p, row in rows.items() if significant(row)}
        found.append(
            Record(
                name,
                tuple(p for p, row in shown.items() if _gain(row) > 0),
                tuple(p for p, row in shown.items() if _gain(row) < 0),
                float(np.mean([_gain(row) for row in rows.values()])),
            )
        )
    return sorted(found, key=lambda r: (len(r.worse), -len(r.better), -r.gain))


def short(results: Results) -> str:
    """Say in a few sentences who wins, who loses and what to start with."""
    own = {p: c for p, c in results.items() if not PROTOCOLS[p].curves_of}
    frozen = {p: c for p, c in own.items() if not PROTOCOLS[p].finetuned}
    finetuned = {p: c for p, c in own.items() if PROTOCOLS[p].finetuned}
    sentences = []
    if frozen and (ranked := records(frozen)):
        best = ranked[0]
        sentences.append(
            f"**Start with `{best.name}`.** Over {_count(len(frozen), 'protocol')} with frozen "
            f"features it was {_fared(best)}; its mean difference from random over the "
            f"curve is {best.gain:+.3f} ({_metrics(frozen)})."
        )
        sentences += [f"`{record.name}` was {_fared(record)}." for record in ranked[1:]]
    for protocol, comparison in finetuned.items():
        sentences.append(f"Finetuned, {protocol}: {verdict(comparison)}")
    sentences += [in_minutes(p, c) for p, c in results.items() if PROTOCOLS[p].curves_of]
    nothing = [p for p, c in own.items() if not _better(c) and _enough(c)]
    if nothing:
        sentences.append(f"Nothing was shown to beat random on {_listed(nothing)}.")
    if missing := [name for name in PROTOCOLS if name not in results]:
        sentences.append(f"Not run yet: {_listed(missing)}.")
    fewer = [
        f"{name} ({len(c.study.seeds)} of {PROTOCOLS[name].seeds} seeds)"
        for name, c in results.items()
        if len(c.study.seeds) < PROTOCOLS[name].seeds
    ]
    if fewer:
        sentences.append(f"Run in part: {_listed(fewer)}.")
    return "\n".join(f"- {sentence}" for sentence in sentences)


def overview(results: Results) -> str:
    """Return differences to random, a strategy a row, a protocol a column."""
    telling = {name: c for name, c in results.items() if _enough(c)}
    ranked = [record.name for record in records(telling, _all(results))]
    names = [*ranked, *(name for name in _all(results) if name not in ranked)]
    lines = [
        "| strategy | " + " | ".join(results) + " |",
        "| --- |" + " ---: |" * len(results),
    ]
    for name in names:
        cells = [_glance(comparison, name) for comparison in results.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Mean {_metrics(results)} over the learning curve, minus that of random: "
        f"{_randoms(results)}. "
        "**Bold**: shown to be better; _slanted_: shown to be worse (p at most .05 after Holm's "
        "correction within the protocol); blank: not run. The tables below give the intervals. "
        "Strategies are sorted by how seldom they were shown to be worse, then by how often they "
        "were shown to be better, then by their mean gain. Protocols with too few seeds to show "
        "anything do not count.",
    ]
    return "\n".join(lines)


def advice(results: Results) -> str:
    """Return a table from kinds of data to strategies."""
    lines = [
        "| your data has | start with | as good as far as is known |",
        "| --- | --- | --- |",
    ]
    for name, comparison in results.items():
        if not _enough(comparison):
            continue
        best = max(comparison.rows, key=lambda row: row.aubc.value)
        better = _better(comparison)
        worse = [r.acquisition for r in comparison.others if significant(r) and r not in better]
        # Against random alone the correction is for fewer pairs, and finds more.
        apart = {*worse, comparison.study.baseline} if best in better else set()
        alike = [
            row.acquisition
            for row in sorted(comparison.rows, key=lambda row: -row.aubc.value)
            if row is not best
            and row.acquisition not in apart
            and not _apart(comparison, best, row)
        ]
        shown = best.acquisition if best in better else f"{best.acquisition} (not shown)"
        lines.append(f"| {PROTOCOLS[name].data} ({name}) | {shown} | {', '.join(alike)} |")
    lines += [
        "",
        "Start with: the largest area under the curve. As good as far as is known: paired sign "
        "flips, with Holm's correction over all pairs of the protocol, show no difference from it, "
        "and it was not shown to be worse than random. Protocols with too few seeds to "
        "show anything are left out.",
    ]
    return "\n".join(lines)


def batch_bald(results: Results) -> str:
    """Compare BatchBALD with BALD, where both were run."""
    lines = []
    for name, comparison in results.items():
        areas = {row.acquisition: row.areas for row in comparison.rows}
        if {"batch_bald", "bald"} <= areas.keys():
            paired = areas["batch_bald"] - areas["bald"]
            estimate = mean_interval(paired)
            lines.append(
                f"- {name}: {_told(estimate)} {comparison.study.metric_title} on average over the "
                f"curve ({len(paired)} seeds, p = {sign_flip_test(paired.tolist()):.2g})"
            )
    return "\n".join(lines)


def section(protocol: Protocol, comparison: Comparison) -> str:
    """Return a protocol's verdict and table."""
    words = " ".join([f"experiment={protocol.experiment}", *protocol.more])
    head = f"### {protocol.name}\nFor data with {protocol.data}: `{words}`."
    if protocol.curves_of:
        return f"{head}\n\n{in_minutes(protocol.name, comparison)}\n\n{cost(comparison)}"
    return f"{head}\n\n**{verdict(comparison)}**\n\n{markdown(comparison).strip()}"


def in_minutes(name: str, comparison: Comparison) -> str:
    """Say whether labels saved are minutes saved, where the curves are another protocol's."""
    times = {row.acquisition: row.ratio for row in comparison.costs if row.ratio}
    same = f"{name} asks for the same images as {PROTOCOLS[name].curves_of} and adds the minutes of"
    if not times:
        return (
            f"{same} labelling. No strategy reaches the target in enough seeds to compare its time "
            "with random."
        )
    less = [name for name, ratio in times.items() if ratio.low is not None and ratio.low > 1]
    shown = f"{_listed(less)} {'was' if len(less) == 1 else 'were'}" if less else "none was"
    sentences = [
        f"{same} labelling. Of {len(times)} strategies {shown} shown to reach the target in less "
        "time than random (95 % CI above 1, not corrected for the number of strategies)."
    ]
    for row in sorted(_better(comparison), key=lambda row: -row.aubc.value):
        if row.ratio and row.acquisition in times:
            sentences.append(
                f"{row.acquisition}, which needs {ratio_cell(row.ratio)} x fewer labels, needs "
                f"{ratio_cell(times[row.acquisition])} x less time."
            )
    return " ".join(sentences)


def cost(comparison: Comparison) -> str:
    """Return the minutes of labelling as a table."""
    lines = [
        "| acquisition | minutes for all answers | minutes to target | x less than random |",
        "| --- | ---: | ---: | ---: |",
    ]
    for row in comparison.costs:
        target = "" if row.minutes_to_target is None else f"{row.minutes_to_target:.1f}"
        ratio = ratio_cell(row.ratio)
        minutes = f"{row.minutes.value:.1f} [{row.minutes.low:.1f}, {row.minutes.high:.1f}]"
        lines.append(f"| {row.acquisition} | {minutes} | {target} | {ratio} |")
    return "\n".join(lines)


def _all(results: Results) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.acquisition for c in results.values() for row in c.others))


def _enough(comparison: Comparison) -> bool:
    return len(comparison.study.seeds) >= comparison.seeds_needed


def _better(comparison: Comparison) -> list[Row]:
    return [row for row in comparison.others if significant(row) and _gain(row) > 0]


def _gain(row: Row) -> float:
    return row.difference.value if row.difference else 0.0


def _apart(comparison: Comparison, first: Row, second: Row) -> bool:
    both = {first.acquisition, second.acquisition}
    pair = next(pair for pair in comparison.pairs if {pair.first, pair.second} == both)
    return pair.winner is not None


def _glance(comparison: Comparison, name: str) -> str:
    row = next((row for row in comparison.others if row.acquisition == name), None)
    if row is None:
        return ""
    text = f"{_gain(row):+.3f}"
    if not significant(row):
        return text
    return f"**{text}**" if _gain(row) > 0 else f"_{text}_"


def _randoms(results: Results) -> str:
    """Say what random means: older results have no labels that are random from the first one."""
    return " or ".join(dict.fromkeys(random_of(c) for c in results.values()))


def _fared(record: Record) -> str:
    better = f"better than random in {_where(record.better)}"
    return f"shown to be {better} and worse in {_where(record.worse)}"


def _where(protocols: tuple[str, ...]) -> str:
    return f"{len(protocols)} ({', '.join(protocols)})" if protocols else "none"


def _metrics(results: Results) -> str:
    return _listed(sorted({c.study.metric_title for c in results.values()}))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"
