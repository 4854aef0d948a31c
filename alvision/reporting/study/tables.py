"""The tables of a study's page: each row as its template needs it, and the files to download."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from alvision.evaluation.intervals import Estimate
from alvision.reporting import html
from alvision.study.cells import Cells, cells, with_interval
from alvision.study.classes import ClassRow
from alvision.study.discovery import SHARES, DiscoveryRow
from alvision.study.export import tables, to_csv
from alvision.study.labelling_time import CostRow, seconds_of
from alvision.study.markdown import document
from alvision.study.statistics import Ratio
from alvision.study.summary import Comparison
from alvision.study.win_matrix import Pair


def downloads(comparison: Comparison) -> dict[str, str]:
    """Return every table as the `data:` address of a CSV file, and all of them as Markdown."""
    files = {
        f"{name}.csv": _address("text/csv", to_csv(rows))
        for name, rows in tables(comparison).items()
        if rows
    }
    return {**files, "comparison.md": _address("text/markdown", document(comparison))}


def main_rows(comparison: Comparison, colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a row for each acquisition."""
    return [_row(cells(row, comparison), colours[row.acquisition]) for row in comparison.rows]


def matrix(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the win matrix: in each row, the row's acquisition against every other.

    Rows are in the order of the mean area, best first; columns too. A cell without a verdict holds
    what the pair could have shown.
    """
    found = {(pair.first, pair.second): pair for pair in comparison.pairs}
    names = [
        row.acquisition for row in sorted(comparison.rows, key=lambda row: -(row.aubc.value or 0))
    ]
    return [
        {
            "name": name,
            "cells": [None if name == other else _cell(name, other, found) for other in names],
            "wins": sum(pair.winner == name for pair in comparison.pairs),
            "losses": sum(
                pair.winner not in (None, name) and name in (pair.first, pair.second)
                for pair in comparison.pairs
            ),
        }
        for name in names
    ]


def classes(comparison: Comparison, colours: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the rarest class, and those of every class."""
    rows = [_class(row, colours[row.acquisition]) for row in comparison.classes]
    return {"rarest": [row for row in rows if row["rarest"]], "all": rows}


def costs(comparison: Comparison, colours: Mapping[str, str]) -> dict[str, Any]:
    """Return what labelling and computing cost, and where the seconds come from."""
    known = seconds_of(comparison.study)[1]
    return {
        "rows": [_cost(row, colours[row.acquisition]) for row in comparison.costs],
        "known": known,
        "computed": any(row.hours_of_computing is not None for row in comparison.costs),
    }


def discovery(comparison: Comparison, colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return for each share of the pool's defects a row for each acquisition; else nothing."""
    return [
        {
            "share": f"{100 * share:.0f} %",
            "rows": [_found(row, colours[row.acquisition]) for row in rows],
        }
        for share in SHARES
        if (rows := [row for row in comparison.discovery if row.share == share])
    ]


def times(ratio: Ratio | None) -> tuple[str, str, float] | None:
    """Write a ratio and its interval, and give its value; an end that is not known is open."""
    if ratio is None:
        return None
    bound = {"exact": "", "at least": "≥ ", "at most": "≤ "}[ratio.bound]
    low, high = html.number(ratio.low, 2), html.number(ratio.high, 2)
    if ratio.low is None:
        interval = f"up to {high}"
    else:
        interval = f"{low} up" if ratio.high is None else f"{low} to {high}"
    return f"{bound}{ratio.value:.2f} ×", interval, ratio.value


def interval(estimate: Estimate | None, *, sign: bool = False) -> str:
    """Write the ends of an interval over seeds; a dash where there is none.

    >>> interval(Estimate(0.5, 0.4, 0.6)), interval(Estimate(0.5, None, None))
    ('0.400 to 0.600', '–')
    """
    if estimate is None or estimate.low is None:
        return "–"
    write = html.signed if sign else html.number
    return f"{write(estimate.low)} to {write(estimate.high)}"


def _row(shown: Cells, colour: str) -> dict[str, Any]:
    return {
        "name": shown.acquisition,
        "colour": colour,
        "outcome": shown.outcome,
        "sentence": shown.sentence,
        "seeds": shown.seeds,
        "aubc": shown.area,
        "area_interval": interval(shown.area),
        "labels": shown.labels_to_target,
        "missed": shown.missed,
        "ratio": times(shown.ratio),
        "difference": shown.difference,
        "p_value": shown.p_value,
        "after_start": shown.after_start,
        "after_start_interval": interval(shown.after_start, sign=True),
        "after_start_p_value": shown.after_start_p_value,
        "detectable": shown.detectable if shown.outcome == "not shown" else None,
    }


def _cell(name: str, other: str, found: Mapping[tuple[str, str], Pair]) -> dict[str, Any]:
    pair = found.get((name, other)) or found[other, name]
    turned = pair.first != name
    value = -pair.difference.value if turned else pair.difference.value
    low, high = float(pair.difference.low or 0), float(pair.difference.high or 0)
    if turned:
        low, high = -high, -low
    return {
        "other": other,
        "value": value,
        "interval": interval(with_interval(Estimate(value, low, high), pair.seeds), sign=True),
        "ahead": pair.seeds - pair.ahead if turned else pair.ahead,
        "seeds": pair.seeds,
        "p_value": pair.p_value,
        "same": low == high == 0,
        "won": pair.winner == name,
        "lost": pair.winner == other,
        "detectable": pair.detectable if pair.winner is None else None,
    }


def _class(row: ClassRow, colour: str) -> dict[str, Any]:
    return {
        "name": row.name,
        "rarest": row.rarest,
        "acquisition": row.acquisition,
        "colour": colour,
        "held_out": row.held_out,
        "seeds": row.seeds,
        "f1": row.f1,
        "f1_interval": interval(with_interval(row.f1, row.seeds)),
        "recall": row.recall,
        "recall_interval": interval(with_interval(row.recall, row.seeds)),
        "difference": row.difference,
        "difference_interval": interval(
            row.difference and with_interval(row.difference, row.seeds), sign=True
        ),
        "p_value": row.p_value,
        "detectable": row.detectable,
    }


def _cost(row: CostRow, colour: str) -> dict[str, Any]:
    return {
        "name": row.acquisition,
        "colour": colour,
        "minutes": row.minutes,
        "seconds": row.seconds_an_answer,
        "to_target": row.minutes_to_target,
        "ratio": times(row.ratio),
        "computing": None if row.hours_of_computing is None else row.hours_of_computing * 60,
    }


def _found(row: DiscoveryRow, colour: str) -> dict[str, Any]:
    return {
        "name": row.acquisition,
        "colour": colour,
        "labels": row.median,
        "text": row.text,
        "reached": row.reached,
        "seeds": len(row.labels),
        "ratio": times(row.ratio) if len(row.labels) > 1 else None,
        "p_value": row.p_value,
        "fewer": row.fewer,
    }


def _address(kind: str, text: str) -> str:
    content = base64.b64encode(text.encode("utf-8")).decode("ascii")
    return f"data:{kind};charset=utf-8;base64,{content}"
