"""Simulate the audit: how many labels prove a limit, and how often the limits miss the truth.

    python scripts/simulate_audit.py [--simulations 2000] [--seed 0]

Prints the tables of docs/audit.md. A pool of 20,000 passed images is drawn anew in each simulation;
the question is when "at most 1 % of what passed is bad" is proven, 95 % sure and one-sided.
Clopper-Pearson's number is that of a plan for a known true rate: the fewest uniformly drawn images
whose limit is below 1 % in 80 of 100 audits, read once, at the end.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from alvision.evaluation.betting import Draws, log_capital
from alvision.evaluation.draws import UNIFORM_SHARE, chances

IMAGES, LIMIT, CONFIDENCE, POWER = 20_000, 0.01, 0.95, 0.8
RATES = (0.0, 0.0008, 0.0033, 0.005)
DOUBTS = {"sharp": (2.5, 0.25), "fair": (2.0, 0.5), "useless": (0.0, 1.0)}
"""Spread of the images' log-odds of being bad, and of what the model misjudges of them."""


def pool(rng: np.random.Generator, rate: float, doubt: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which images are bad, exactly `rate` of them, and how much the model doubts each."""
    spread, noise = DOUBTS[doubt]
    odds = np.exp(spread * rng.standard_normal(IMAGES))
    bad = np.zeros(IMAGES, bool)
    bad[np.argsort(rng.exponential(size=IMAGES) / odds)[: round(rate * IMAGES)]] = True
    return bad, odds**0.8 * np.exp(noise * rng.standard_normal(IMAGES))


def audit(
    rng: np.random.Generator, bad: np.ndarray, doubts: np.ndarray, uniform: float, length: int
) -> tuple[np.ndarray, Draws]:
    """Draw an audit and return what it finds."""
    chance = chances(doubts, uniform)
    order = np.argsort(rng.exponential(size=IMAGES) / chance)[:length]
    left = 1 - np.cumsum(chance[order]) + chance[order]
    return bad[order], Draws(IMAGES, chance[order] / left, uniform / IMAGES / left)


def fixed_plan(rate: float) -> int:
    """Return how many images Clopper-Pearson needs if the true rate is known beforehand."""
    misses = 0
    while True:
        n = int(stats.chi2.ppf(CONFIDENCE, 2 * misses + 2) / 2 / LIMIT * 0.97)
        while stats.binom.cdf(misses, n, LIMIT) > 1 - CONFIDENCE:
            n += 1
        if stats.binom.cdf(misses, n, rate) >= POWER:
            return n
        misses += 1


def simulate(rate: float, doubt: str, uniform: float, runs: int, seed: int) -> list[float]:
    """Return the labels that prove the limit, mean and 80th percentile, and the coverage."""
    plan, needed, covered = fixed_plan(rate), [], 0
    length = 3 * plan
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        bad, doubts = pool(rng, rate, doubt)
        hits, draws = audit(rng, bad, doubts, uniform, length)
        null = np.array([LIMIT, max(rate, 1e-9)])
        upper = log_capital(hits, draws, null, above=True, total=IMAGES)
        lower = log_capital(hits, draws, null, above=False, total=IMAGES)
        proven = np.flatnonzero(upper[:, 0] >= -np.log(1 - CONFIDENCE))
        needed.append(proven[0] + 1 if len(proven) else length)
        worst = max(upper[:, 1].max(), lower[:, 1].max())
        covered += worst < np.log(2 / (1 - CONFIDENCE))
    return [np.mean(needed), np.percentile(needed, 100 * POWER), covered / runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("| true rate | doubt | fixed plan | mean | 80th percentile | mean / plan | coverage |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for doubt, uniform in [("uniform draws", 1.0), *((name, UNIFORM_SHARE) for name in DOUBTS)]:
        for rate in RATES:
            kind = doubt if doubt in DOUBTS else "fair"
            plan = fixed_plan(rate)
            mean, most, covered = simulate(rate, kind, uniform, asked.simulations, asked.seed)
            print(
                f"| {100 * rate:.2f} % | {doubt} | {plan} | {mean:.0f} | {most:.0f} "
                f"| {mean / plan:.2f} | {100 * covered:.1f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
