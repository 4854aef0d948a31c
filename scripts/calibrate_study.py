"""Measure whether the statistics of a comparison hold what they say.

    python scripts/calibrate_study.py [--studies 500] [--write]

Draws whole studies whose truth is known and counts: on studies without any difference, how often
one is claimed (at most .05 of them may) and how often the intervals hold the truth (.95 should);
and how often an effect is found that is as large as the one said to be detectable (.80 should).
`--write` puts the table into docs/study.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from blocks import rewrite

from alvision.evaluation.curves import band
from alvision.evaluation.intervals import Estimate
from alvision.evaluation.metrics import metric
from alvision.study.collect import Study
from alvision.study.summary import Comparison, summarise

PAGE = Path(__file__).parent.parent / "docs" / "study.md"
ROUNDS = 11
ANSWERS = 20.0 * np.arange(1, ROUNDS + 1)
LEVEL = 0.8 * (1 - np.exp(-ANSWERS / 90))
SPLIT = 0.03
"""How much seeds differ, whatever is chosen: some have harder test parts."""
NOISE = 0.012
"""How much runs of one seed differ."""

KINDS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: 1 - rng.exponential(size=shape),
    "heavy tails": lambda rng, shape: rng.standard_t(3, size=shape) / np.sqrt(3),
}
"""How the luck of runs is spread, with mean 0 and standard deviation 1."""


@dataclass
class Counts:
    """What happened in so many studies; the last four count intervals, not studies."""

    studies: int = 0
    claims: int = 0
    matrix_claims: int = 0
    found: int = 0
    intervals: int = 0
    difference: int = 0
    ratio: int = 0
    band: float = 0.0

    def share(self, name: str) -> float:
        """Return a count as a share of what it could have been."""
        of = self.intervals if name in ("difference", "ratio", "band") else self.studies
        return getattr(self, name) / of


def draw(kind: str, seeds: int, others: int, *, effect: float, seed: int) -> Study:
    """Draw a study whose first strategy is better by `effect` in every round, the others alike."""
    rng = np.random.default_rng(seed)
    names = ("random_sampling", *(f"strategy {k}" for k in range(others)))
    split = SPLIT * rng.normal(size=seeds)
    luck = NOISE * KINDS[kind](rng, (len(names), seeds))
    wobble = 0.3 * NOISE * rng.normal(size=(len(names), seeds, ROUNDS))
    values = LEVEL + split[:, None] + luck[..., None] + wobble
    values[1] += effect
    full = 0.8 + split
    return Study(
        folder=Path("study"),
        metric=metric("macro_f1"),
        acquisitions=names,
        baseline=names[0],
        seeds=tuple(range(seeds)),
        answers=np.tile(ANSWERS, (seeds, 1)),
        values=dict(zip(names, values, strict=True)),
        full=full,
        target=0.8 * full,
    )


def measure(
    kind: str, seeds: int, others: int, studies: int, *, planted: bool = False, seed: int = 0
) -> Counts:
    """Draw studies and count; `planted`: the first strategy has the effect said to be detectable.

    Args:
        kind: One of KINDS.
        seeds: Seeds of a study.
        others: Strategies compared with random.
        studies: How many studies.
        planted: Whether there is anything to find.
        seed: Of the first study; the others follow.
    """
    effect = 0.0
    if planted:
        drawn = (draw(kind, seeds, others, effect=0, seed=10**6 + k) for k in range(studies))
        effect = float(np.mean([summarise(one).rows[1].detectable for one in drawn]))
    counts = Counts()
    for k in range(studies):
        count(summarise(draw(kind, seeds, others, effect=effect, seed=seed + k)), effect, counts)
    return counts


def count(comparison: Comparison, effect: float, counts: Counts) -> None:
    """Add one study to the counts."""
    counts.studies += 1
    p_values = [row.p_value for row in comparison.others if row.p_value is not None]
    counts.claims += any(p <= 0.05 for p in p_values)
    counts.matrix_claims += any(pair.winner for pair in comparison.pairs)
    first = comparison.others[0]
    counts.found += first.p_value is not None and first.p_value <= 0.05
    for row in comparison.others:
        counts.intervals += 1
        truth = effect if row is first else 0.0
        counts.difference += row.difference is not None and holds(row.difference, truth)
        counts.ratio += row.ratio is None or holds(
            Estimate(row.ratio.value, row.ratio.low, row.ratio.high), 1
        )
        values = comparison.study.values[row.acquisition]
        found = band(list(comparison.study.answers), list(values))
        true = LEVEL + truth
        counts.band += float(np.mean((found.low <= true) & (true <= found.high)))


def holds(estimate: Estimate, truth: float) -> bool:
    """Tell whether an interval holds the truth; an end that is None is open."""
    low = -np.inf if estimate.low is None else estimate.low
    high = np.inf if estimate.high is None else estimate.high
    return bool(low <= truth <= high)


def table(studies: int, show: Callable[[str], None] = print) -> str:
    """Return the whole table in Markdown."""
    head = (
        "luck", "seeds", "strategies", "claims, nothing there", "the same, win matrix",
        "difference held", "ratio held", "band held", "detectable effect found",
    )  # fmt: skip
    lines = [head, ("---", *["---:"] * (len(head) - 1))]
    for kind in KINDS:
        for seeds, others in ((3, 1), (5, 1), (6, 1), (8, 4), (12, 4)):
            null = measure(kind, seeds, others, studies)
            names = ("claims", "matrix_claims", "difference", "ratio", "band")
            cells = [f"{null.share(name):.3f}" for name in names]
            found = ""
            if seeds >= 6:
                planted = measure(kind, seeds, others, studies, planted=True, seed=10**5)
                found = f"{planted.share('found'):.2f}"
            lines.append((kind, str(seeds), str(others), *cells, found))
            show(" ".join(lines[-1]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--write", action="store_true", help="write the table into docs/study.md")
    asked = parser.parse_args()
    found = table(asked.studies)
    if asked.write:
        rewrite(PAGE, "calibration", f"{asked.studies} studies a row.\n\n{found}")


if __name__ == "__main__":
    main()
