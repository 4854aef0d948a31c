"""Try the advice on every curve in benchmarks/, and write the tables into docs/advice.md.

    python scripts/backtest_advice.py

Forecast: from each round of a curve, the labels until it reaches a target. The truth is the curve
itself, made monotone; targets are 90, 95 and 98 % of the score of all labels. Stopping: each rule
on the runs in benchmarks/signals.csv, against the best stop in hindsight. Neither needs images or a
model.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from blocks import replace_block
from scipy.optimize import isotonic_regression

from alvision.advice.facts import Gain, RoundFacts
from alvision.advice.forecast import LEAST_ROUNDS, fit
from alvision.advice.stopping import Sign, signs, stop_here
from alvision.evaluation.curves import labels_to_target
from alvision.study.collect import FULL, TARGET_SHARE

ROOT = Path(__file__).parent.parent
SAME = ("elpv_cost",)  # the curves of elpv again
NOT_CURVES = ("picks", "signals")
SHARES = (0.9, 0.95, 0.98)
WITHIN = 0.25
HALF = (1.6, 2.5)  # labels to the target over labels now: about half of the way
VALUES = (20.0, 200.0)  # answers that a percentage point is worth
CLOSE = 0.01
"""A stop whose score is closer than this to the best of the curve has lost nothing."""

Curve = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Tried:
    """One forecast: what came true, and what was said."""

    protocol: str
    ratio: float
    said: bool
    hit: bool
    covered: bool


def curves(path: Path) -> tuple[dict[tuple[str, int], Curve], dict[int, float]]:
    """Return the curves of a protocol by strategy and seed, and the score of all labels by seed."""
    rows = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        score = (reader.fieldnames or ())[-1]
        for row in reader:
            rows[row["acquisition"], int(row["seed"])].append(
                (float(row["answers"]), float(row[score]))
            )
    full = {seed: points[0][1] for (name, seed), points in rows.items() if name == FULL}
    found = {key: points for key, points in rows.items() if key[0] != FULL}
    return {k: (np.array([x for x, _ in p]), np.array([y for _, y in p])) for k, p in
            found.items()}, full  # fmt: skip


def means(found: dict[tuple[str, int], Curve], full: dict[int, float]) -> Iterator[tuple]:
    """Yield the mean curve of each strategy over its seeds, with the mean score of all labels."""
    for name in sorted({name for name, _ in found}):
        own = [curve for (other, _), curve in found.items() if other == name]
        yield (own[0][0], np.mean([y for _, y in own], axis=0)), float(np.mean(list(full.values())))


def tries(protocol: str, curve: Curve, full: float) -> Iterator[Tried]:
    """Yield every forecast that can be made along a curve."""
    answers, scores = curve
    monotone = isotonic_regression(scores).x
    for k in range(LEAST_ROUNDS, len(answers)):
        made, now = fit(tuple(answers[:k]), tuple(scores[:k])), answers[k - 1]
        assert made is not None
        for share in SHARES:
            target = share * full
            if monotone[-1] < target or monotone[k - 1] >= target:
                continue
            first = int(np.argmax(monotone >= target))
            needed = float(np.interp(target, monotone[first - 1 : first + 1],
                                     answers[first - 1 : first + 1]))  # fmt: skip
            said = made.labels_to(target)
            yield Tried(
                protocol,
                needed / now,
                said is not None,
                said is not None and abs(said.value / needed - 1) <= WITHIN,
                said is not None and said.low <= needed <= said.high,
            )


def forecast_table() -> str:
    """Return how often forecasts came true, for mean curves and single runs, by protocol."""
    lines = [
        "| curves | protocol | asked at half of the way | forecasts | within 25 % "
        "| asked at any round | forecasts | within 25 % | in the interval of 80 % |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in ("means over seeds", "single runs"):
        every: list[Tried] = []
        for path in sorted((ROOT / "benchmarks").glob("*.csv")):
            if path.stem in (*SAME, *NOT_CURVES):
                continue
            found, full = curves(path)
            own: list[Tried] = []
            if kind == "single runs":
                for (_, seed), curve in found.items():
                    own += tries(path.stem, curve, full[seed])
            else:
                for curve, score in means(found, full):
                    own += tries(path.stem, curve, score)
            if own:
                lines.append(forecast_row(kind, path.stem, own))
            every += own
        lines.append(forecast_row(f"**{kind}**", "**all**", every))
    return "\n".join(lines)


def forecast_row(kind: str, protocol: str, tried: list[Tried]) -> str:
    cells: list[object] = []
    for asked in ([one for one in tried if HALF[0] <= one.ratio <= HALF[1]], tried):
        made = [one for one in asked if one.said]
        cells += [len(asked), len(made), _share([one.hit for one in made])]
    cells.append(_share([one.covered for one in tried if one.said]))
    return f"| {kind} | {protocol} | " + " | ".join(map(str, cells)) + " |"


def _share(values: list[bool]) -> str:
    return f"{100 * np.mean(values):.0f} %" if values else ""


def runs() -> dict[tuple[str, str, int], list[dict[str, str]]]:
    """Return the rows of benchmarks/signals.csv by protocol, strategy and seed."""
    found = defaultdict(list)
    with (ROOT / "benchmarks" / "signals.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["protocol"], row["acquisition"], int(row["seed"])].append(row)
    return found


def rounds_of(rows: list[dict[str, str]]) -> list[RoundFacts]:
    """Return the rounds of a run as facts; its one known gain stands for the ones before it."""
    number = {key: [float(row[key]) if row[key] else None for row in rows]
              for key in ("answers", "score", "agreement", "uncertainty", "expected_error", "gain",
                          "low", "high")}  # fmt: skip
    found = []
    for k in range(len(rows)):
        gain = number["gain"][k]
        gains = (
            ()
            if gain is None
            else (Gain(1, gain, number["low"][k], number["high"][k]),) * min(k, 3)
        )
        found.append(
            RoundFacts(
                labels=int(number["answers"][k]),
                answers=int(number["answers"][k]),
                images=100,
                value=number["score"][k],
                gains=gains,
                agreement=number["agreement"][k],
                uncertainty=number["uncertainty"][k],
                expected_error=number["expected_error"][k],
            )
        )
    return found


def only(name: str):
    """Return a rule that stops where one sign alone says so."""
    return lambda found: bool({sign.name: sign.stop for sign in found}[name])


def without_value(found: tuple[Sign, ...]) -> bool:
    return stop_here([Sign(s.name, None) if s.name == "value" else s for s in found])


RULES = {
    "predictions have settled": (only("predictions"), None),
    "uncertainty is steady": (only("uncertainty"), None),
    "expected error is steady": (only("error"), None),
    "the score does not rise": (only("score"), None),
    "`budget.stop=advice`": (without_value, None),
    **{f"the same, `advice.value_of_error={value:g}`": (stop_here, value) for value in VALUES},
}


def stopping_table() -> str:
    """Return what each rule costs against the best stop in hindsight."""
    every = runs()
    mean_score = {}
    for protocol, name, _ in every:
        own = [rows for (p, n, _), rows in every.items() if (p, n) == (protocol, name)]
        length = min(map(len, own))
        scores = np.mean([[float(r["score"]) for r in rows[:length]] for rows in own], axis=0)
        mean_score[protocol, name] = isotonic_regression(scores).x
    lines = [
        "| rule | protocol | runs it ends | answers at its stop | more than the best stop "
        "| score lost there |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for title, (rule, value) in RULES.items():
        for protocol in (*sorted({key[0] for key in every}), "all"):
            keys = [key for key in every if protocol in (key[0], "all")]
            results = [_stopped(every[key], mean_score[key[:2]], rule, value) for key in keys]
            ended = [one for one in results if one is not None]
            if not ended:
                lines.append(f"| {title} | {protocol} | 0 of {len(keys)} |  |  |  |")
                continue
            at, more, lost = np.mean(ended, axis=0)
            lines.append(
                f"| {title} | {protocol} | {len(ended)} of {len(keys)} | {at:.0f} | {more:+.0f} "
                f"| {lost:.3f} |"
            )
    return "\n".join(lines)


def _stopped(rows, mean, rule, value):
    """Return the answers at a rule's stop, those beyond the best stop, and the score lost."""
    facts = rounds_of(rows)
    batch = facts[-1].answers - facts[-2].answers
    best = int(np.argmax(mean >= mean[-1] - CLOSE))
    for k in range(1, len(facts) + 1):
        if rule(signs(facts[:k], batch=batch, value_of_error=value)):
            place = k - 1
            return (
                facts[place].answers,
                facts[place].answers - facts[best].answers,
                max(0.0, mean[-1] - mean[min(place, len(mean) - 1)]),
            )
    return None


def usual_labels(path: Path) -> float:
    """Return the median over the seeds of the labels to 95 % of the score of all labels.

    `uncertainty_herding` is the default strategy. A seed that did not stay there counts as inf.
    """
    found, full = curves(path)
    reached = [
        labels_to_target(tuple(answers), tuple(scores), TARGET_SHARE * full[seed])
        for (name, seed), (answers, scores) in found.items()
        if name == "uncertainty_herding"
    ]
    return float(np.median([np.inf if labels is None else labels for labels in reached]))


def usual_table() -> str:
    """Return those labels for each protocol with twelve seeds of the default strategy."""
    lines = ["| protocol | labels |", "| --- | ---: |"]
    for path in sorted((ROOT / "benchmarks").glob("*.csv")):
        if path.stem in NOT_CURVES or path.stem.endswith("_small_cnn"):
            continue
        labels = usual_labels(path)
        most = max(answers[-1] for answers, _ in curves(path)[0].values())
        said = f"{labels:.0f}" if np.isfinite(labels) else f"more than {most:.0f}"
        lines.append(f"| {path.stem} | {said} |")
    return "\n".join(lines)


def main() -> None:
    page = ROOT / "docs" / "advice.md"
    text = page.read_text(encoding="utf-8")
    text = replace_block(text, "forecast", forecast_table())
    text = replace_block(text, "usual", usual_table())
    text = replace_block(text, "stopping", stopping_table())
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
