"""Shortcuts: does something other than the picture's content give a class away?

A network that learns the file format instead of the defect looks excellent until the line saves
its images another way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from alvision.evaluation.intervals import holm

ALPHA = 0.01
"""Chance of a false alarm in the whole family of tests of one data set."""
FOLDS = 5
LEAST_UNITS = 10
"""Groups (or images without groups) that a class needs on each side to be tested."""
LEAST_OF_VALUE = 5
"""Groups that a value needs to be tested by itself; rarer values are tested together."""


@dataclass(frozen=True)
class Shortcut:
    """Measure how well one fact alone tells one class from the rest.

    Attributes:
        fact: What is known without looking at the picture, e.g. `file format`.
        label: The class.
        balanced_accuracy: Cross-validated, of "this class or not" from the fact; 0.5 is chance.
        p_value: Of the chi-square test of independence, after Holm over all facts and classes.
        value: The value that gives most of the class away.
        share: Share of the class that has this value.
        share_elsewhere: Share of the other images that have it.
    """

    fact: str
    label: str
    balanced_accuracy: float
    p_value: float
    value: str
    share: float
    share_elsewhere: float


def shortcuts(
    facts: Mapping[str, Sequence[str]],
    truth: Sequence[str],
    groups: Sequence[str],
    seed: int = 0,
) -> list[Shortcut]:
    """Test each fact against each class, one against the rest; return those that are significant.

    A fact can nearly give away one class and hardly move the overall accuracy, so each class has
    a test of its own: chi-square on the table of values, corrected by Holm over all facts and
    classes, with the cross-validated balanced accuracy of the best rule "value -> class or not" as
    the size of the effect. Images of one group share camera, date and format, so that the group
    is the unit: each counts once, by the shares of its images.

    Args:
        facts: Name of a fact -> its value for each of N images.
        truth: The class of each image.
        groups: The group of each image.
        seed: Of the folds.

    Returns:
        Significant ones at `ALPHA`, the largest effect first.
    """
    labels, label_of = np.unique(np.asarray(truth), return_inverse=True)
    group_of = np.unique(np.asarray(groups), return_inverse=True)[1]
    label_share = _shares(label_of, group_of)
    # With two classes "one against the rest" asks the same twice; the rarer one is named.
    rarest = int(np.bincount(label_of).argmin())
    asked = [rarest] if len(labels) == 2 else list(range(len(labels)))
    fold = np.random.default_rng(seed).permutation(len(label_share)) % FOLDS
    tested: list[Shortcut] = []
    for fact, values in facts.items():
        names, value_of = np.unique(np.asarray(values), return_inverse=True)
        if len(names) < 2:
            continue
        value_share, merged = _merge_rare(
            _shares(value_of, group_of), [str(name) for name in names]
        )
        for column in asked:
            belongs = label_share[:, column]
            sides = belongs.sum(), (1 - belongs).sum()
            if value_share.shape[1] < 2 or min(sides) < LEAST_UNITS:
                continue
            tested.append(_test(fact, str(labels[column]), value_share, belongs, merged, fold))
    adjusted = holm([test.p_value for test in tested])
    found = [
        Shortcut(**{**vars(test), "p_value": p})
        for test, p in zip(tested, adjusted, strict=True)
        if p < ALPHA
    ]
    return sorted(found, key=lambda test: -test.balanced_accuracy)


def bins(numbers: Sequence[float], most: int = 10) -> list[str]:
    """Name the quantile bin of each number, so that a measured fact becomes one of few values.

    >>> bins([1, 2, 3, 4], most=2)
    ['1 to 2', '1 to 2', '3 to 4', '3 to 4']
    """
    values = np.asarray(numbers, dtype=np.float64)
    edges = np.unique(np.quantile(values, np.arange(1, most) / most))
    # A share of equal values longer than a bin makes equal edges, and so an empty bin, of them.
    bin_of = np.searchsorted(edges, values, side="left")
    names = {
        number: f"{values[bin_of == number].min():,.6g} to {values[bin_of == number].max():,.6g}"
        for number in np.unique(bin_of)
    }
    return [names[number] for number in bin_of]


def chi_square(table: NDArray[np.float64]) -> float:
    """Return the p-value of independence in a table [V, 2] of counts, which may be fractions.

    >>> round(chi_square(np.array([[10.0, 20.0], [20.0, 10.0]])), 4)
    0.0098
    """
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, len(table) - 1))


def _shares(value_of: NDArray[np.intp], group_of: NDArray[np.intp]) -> NDArray[np.float64]:
    counts = np.zeros((group_of.max() + 1, value_of.max() + 1))
    np.add.at(counts, (group_of, value_of), 1.0)
    return counts / counts.sum(1, keepdims=True)


def _merge_rare(
    shares: NDArray[np.float64], names: list[str]
) -> tuple[NDArray[np.float64], list[str]]:
    rare = shares.sum(0) < LEAST_OF_VALUE
    kept = [name for name, gone in zip(names, rare, strict=True) if not gone]
    if shares[:, rare].sum() < LEAST_OF_VALUE:
        return shares[:, ~rare], kept
    rest = shares[:, rare].sum(1, keepdims=True)
    return np.concatenate([shares[:, ~rare], rest], axis=1), [*kept, "other values"]


def _test(
    fact: str,
    label: str,
    value_share: NDArray[np.float64],
    belongs: NDArray[np.float64],
    names: list[str],
    fold: NDArray[np.intp],
) -> Shortcut:
    sides = np.stack([belongs, 1 - belongs], axis=1)
    table = value_share.T @ sides
    recalled = np.zeros(2)
    for held_out in range(FOLDS):
        outside = fold != held_out
        seen = value_share[outside].T @ sides[outside]
        rates = seen / np.maximum(seen.sum(0), 1e-12)
        means_label = rates[:, 0] > rates[:, 1]
        tested = value_share[~outside].T @ sides[~outside]
        recalled += tested[means_label, 0].sum(), tested[~means_label, 1].sum()
    rates = table / table.sum(0)
    telling = int(np.argmax(rates[:, 0] - rates[:, 1]))
    return Shortcut(
        fact=fact,
        label=label,
        balanced_accuracy=float((recalled / table.sum(0)).mean()),
        p_value=chi_square(table),
        value=names[telling],
        share=float(rates[telling, 0]),
        share_elsewhere=float(rates[telling, 1]),
    )
