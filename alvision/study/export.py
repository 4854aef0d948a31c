"""Every number of a comparison as plain tables: data frames, CSV, Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from alvision.evaluation.curves import Band, band
from alvision.evaluation.intervals import Estimate
from alvision.study.cells import cells
from alvision.study.discovery import discovery_bands
from alvision.study.labelling_time import seconds_of
from alvision.study.statistics import Ratio
from alvision.study.summary import Comparison

if TYPE_CHECKING:
    import pandas

Table = list[dict[str, Any]]
"""Rows by column; None where a number is not known."""


def tables(comparison: Comparison) -> dict[str, Table]:
    """Return every table of a comparison.

    - `comparison`: one row for each acquisition: area, labels to target, ratio to the baseline.
    - `pairs`: one for every two of them: the win matrix.
    - `seeds`: one for each run: its area, labels to target, target and full-data score.
    - `curves`: one for each acquisition and round: mean and band over the seeds.
    - `runs`: one for each run and round: what the curves are made of.
    - `classes`: one for each class and acquisition.
    - `costs`: one for each acquisition: minutes of labelling.
    - `discovery`: one for each share of the pool's defects and acquisition: labels until found.
    - `discovery_curves`: one for each acquisition and round: the share of the defects found.
    """
    return {name: list(make(comparison)) for name, make in _TABLES.items()}


def frames(comparison: Comparison) -> dict[str, pandas.DataFrame]:
    """Return `tables` as data frames."""
    import pandas

    return {name: pandas.DataFrame(rows) for name, rows in tables(comparison).items()}


def to_csv(table: Table) -> str:
    r"""Write a table as CSV, full digits, a blank where a number is not known.

    >>> to_csv([{"name": "margin", "p": 0.01}, {"name": "bald", "p": None}])
    'name,p\nmargin,0.01\nbald,\n'
    """
    if not table:
        return ""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return file.getvalue()


def to_markdown(table: Table, digits: int = 3) -> str:
    """Write a table for a document, numbers to some digits.

    >>> print(to_markdown([{"name": "margin", "p": 0.0123}]))
    | name | p |
    | --- | ---: |
    | margin | 0.012 |
    """
    if not table:
        return ""
    columns = list(table[0])
    text = [isinstance(table[0][column], str) for column in columns]
    lines = [columns, ["---" if left else "---:" for left in text]]
    lines += [[_cell(row[column], digits) for column in columns] for row in table]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value).replace("|", "\\|")


def _comparison(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for row in comparison.rows:
        shown = cells(row, comparison)
        yield {
            "acquisition": shown.acquisition,
            "seeds": shown.seeds,
            **_estimate("aubc", shown.area),
            **_estimate("difference", shown.difference),
            "labels_to_target": shown.labels_to_target,
            "seeds_that_miss_the_target": shown.missed,
            **_ratio(shown.ratio),
            "p_value": shown.p_value,
            **_estimate("after_start", shown.after_start),
            "after_start_p_value": shown.after_start_p_value,
            "detectable": shown.detectable,
        }


def _pairs(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for pair in comparison.pairs:
        yield {
            "first": pair.first,
            "second": pair.second,
            **_estimate("difference", pair.difference),
            "seeds_ahead": pair.ahead,
            "seeds": pair.seeds,
            "p_value": pair.p_value,
            "better": pair.winner,
            "detectable": pair.detectable,
        }


def _seeds(comparison: Comparison) -> Iterator[dict[str, Any]]:
    study = comparison.study
    for row in comparison.rows:
        for place, seed in enumerate(study.seeds):
            yield {
                "acquisition": row.acquisition,
                "seed": seed,
                "aubc": float(row.areas[place]),
                "last": float(study.values[row.acquisition][place, -1]),
                "labels_to_target": row.labels[place],
                "target": None if study.target is None else float(study.target[place]),
                "full": None if study.full is None else float(study.full[place]),
            }


def _curves(comparison: Comparison) -> Iterator[dict[str, Any]]:
    study = comparison.study
    for name, values in study.values.items():
        yield from _points(name, band(list(study.answers), list(values)))


def _runs(comparison: Comparison) -> Iterator[dict[str, Any]]:
    study = comparison.study
    seconds, _ = seconds_of(study)
    for name, values in study.values.items():
        for place, seed in enumerate(study.seeds):
            for rnd in range(values.shape[1]):
                yield {
                    "acquisition": name,
                    "seed": seed,
                    "round": rnd,
                    "answers": float(study.answers[place, rnd]),
                    study.metric.name: float(values[place, rnd]),
                    "seconds": float(seconds[name][place, rnd]),
                }


def _classes(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for row in comparison.classes:
        yield {
            "class": row.name,
            "rarest": row.rarest,
            "acquisition": row.acquisition,
            "held_out": row.held_out,
            "seeds": row.seeds,
            **_estimate("f1", row.f1),
            **_estimate("recall", row.recall),
            **_estimate("difference", row.difference),
            "p_value": row.p_value,
            "detectable": row.detectable,
        }


def _costs(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for row in comparison.costs:
        yield {
            "acquisition": row.acquisition,
            **_estimate("minutes", row.minutes),
            "seconds_an_answer": row.seconds_an_answer,
            "minutes_to_target": row.minutes_to_target,
            **_ratio(row.ratio),
            "hours_of_computing": row.hours_of_computing,
        }


def _discovery(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for row in comparison.discovery:
        yield {
            "acquisition": row.acquisition,
            "share_of_defects": row.share,
            "labels": row.text,
            "seeds_that_get_there": row.reached,
            "seeds": len(row.labels),
            **_ratio(row.ratio if len(row.labels) > 1 else None),
            "p_value": row.p_value,
        }


def _discovery_curves(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for name, found in discovery_bands(comparison.study).items():
        yield from _points(name, found)


def _points(name: str, found: Band) -> Iterator[dict[str, Any]]:
    for answers, mean, low, high in zip(
        found.answers, found.mean, found.low, found.high, strict=True
    ):
        yield {
            "acquisition": name,
            "answers": float(answers),
            "mean": float(mean),
            "low": float(low),
            "high": float(high),
        }


def _estimate(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    ends = (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def _ratio(ratio: Ratio | None) -> dict[str, Any]:
    values = (ratio.value, ratio.low, ratio.high, ratio.bound) if ratio else (None,) * 4
    return dict(zip(("ratio", "ratio_low", "ratio_high", "ratio_is"), values, strict=True))


_TABLES: Mapping[str, Callable[[Comparison], Iterator[dict[str, Any]]]] = {
    "comparison": _comparison,
    "pairs": _pairs,
    "seeds": _seeds,
    "curves": _curves,
    "runs": _runs,
    "classes": _classes,
    "costs": _costs,
    "discovery": _discovery,
    "discovery_curves": _discovery_curves,
}
