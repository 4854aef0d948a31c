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
from alvision.evaluation.draws import uniform_share

IMAGES, LIMIT, CONFIDENCE, POWER = 20_000, 0.01, 0.95, 0.8
RATES = (0.0, 0.0008, 0.0033, 0.005)
DOUBTS = {"sharp": (2.5, 0.25), "fair": (2.0, 0.5), "useless": (0.0, 1.0)}
"""Spread of the images' log-odds of being bad, and of what the model misjudges of them."""


def pool(rng: np.random.Generator, rate: float, doubt: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which images are bad, exactly `rate` of them, and how much the model doubts each."""
    spread, noise = DOUBTS[doubt]
    odds = np.exp(spread * rng.standard_normal(IMAGES))
    bad = np.zeros(IMAGES, bool)
    bad[_first(rng.standard_exponential(IMAGES) / odds, round(rate * IMAGES))] = True
    return bad, odds**0.8 * np.exp(noise * rng.standard_normal(IMAGES))


def _first(clocks: np.ndarray, n: int) -> np.ndarray:
    """Return the rows of the n clocks that ring first, in that order."""
    rows = np.argpartition(clocks, n)[:n]
    return rows[np.argsort(clocks[rows])]


def audit(
    rng: np.random.Generator, bad: np.ndarray, doubts: np.ndarray, by_doubt: bool, length: int
) -> tuple[np.ndarray, Draws]:
    """Draw an audit, one image after each answer, and return what it finds.

    Both orders are made beforehand, and each draw takes the next image of one of them. Of clocks
    that run at the speed of the doubts, the next one among the undrawn images is drawn by doubt.
    """
    fair_order = rng.choice(IMAGES, size=min(2 * length, IMAGES), replace=False)
    if not by_doubt:
        return bad[fair_order[:length]], Draws.uniform(IMAGES, length)
    # Of either order no more is used than all draws together.
    doubt_order = _first(rng.standard_exponential(IMAGES) / doubts, length)
    fair, doubted = iter(fair_order.tolist()), iter(doubt_order.tolist())
    coins = rng.random(length).tolist()
    drawn, bads = set(), set(np.flatnonzero(bad).tolist())
    amounts, total = doubts.tolist(), float(doubts.sum())
    share, found = uniform_share([]), []
    images, shares = [], []
    doubt_left = total
    for t, coin in enumerate(coins):
        order = fair if coin < share else doubted
        image = next(order)
        while image in drawn:
            image = next(order)
        drawn.add(image)
        images.append(image)
        shares.append(share)
        if image in bads:
            chance = share / (IMAGES - t) + (1 - share) * amounts[image] / doubt_left
            found.append((1 / (IMAGES * chance), amounts[image] * IMAGES / total))
            share = uniform_share(found)
        doubt_left -= amounts[image]
    own = doubts[images]
    least = np.array(shares) / (IMAGES - np.arange(length))
    by_doubt_alone = own / (total - np.cumsum(own) + own)
    return bad[images], Draws(IMAGES, least + (1 - np.array(shares)) * by_doubt_alone, least)


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


def simulate(rate: float, doubt: str, by_doubt: bool, runs: int, seed: int) -> list[float]:
    """Return the labels that prove the limit, mean and 80th percentile, and the coverage."""
    plan, needed, covered = fixed_plan(rate), [], 0
    length = 3 * plan
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        bad, doubts = pool(rng, rate, doubt)
        hits, draws = audit(rng, bad, doubts, by_doubt, length)
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
    for doubt in ["uniform draws", *DOUBTS]:
        for rate in RATES:
            by_doubt, plan = doubt in DOUBTS, fixed_plan(rate)
            kind = doubt if by_doubt else "fair"
            mean, most, covered = simulate(rate, kind, by_doubt, asked.simulations, asked.seed)
            print(
                f"| {100 * rate:.2f} % | {doubt} | {plan} | {mean:.0f} | {most:.0f} "
                f"| {mean / plan:.2f} | {100 * covered:.1f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
