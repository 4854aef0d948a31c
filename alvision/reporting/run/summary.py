"""A run in plain words and plain rows: what its report says, apart from how it looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alvision.advice.facts import Facts
from alvision.core.records import SampleId
from alvision.evaluation.audit import AUDIT, too_few
from alvision.evaluation.metrics import Metric
from alvision.loop.cold_start import SLOT
from alvision.reporting.html import count, number, signed
from alvision.reporting.run.folder import ImageAnswer, RoundFiles, RunFolder, answers_by_image
from alvision.run_folder.facts import facts_of, with_labels
from alvision.run_folder.pool_audit import read_rates

_ORACLES = {
    "simulated": "the known truth",
    "files": "people, in files",
    "page": "people, on the page",
}

AUDIT_RATES = {
    "error": "called by a wrong class",
    "escape": "missed, of the bad ones",
    "overkill": "wrongly stopped, of the good ones",
}


@dataclass(frozen=True)
class ClassRow:
    """One class: labels so far, and how well the last model knows it.

    Attributes:
        name: The class.
        labels: Images labelled so that may be trained on.
        share: `labels` as a share of the most labelled class, 0..1.
        scores: `support`, `precision`, `recall`, `f1` on the held-out images; None where unknown.
        defect: The class is a defect.
        rarest: No other class has fewer held-out images (labels, where none is known).
    """

    name: str
    labels: int
    share: float
    scores: Mapping[str, Any]
    defect: bool
    rarest: bool


def training_answers(run: RunFolder) -> dict[SampleId, ImageAnswer]:
    """Return what people say about the images that may be trained on: all but the held-out ones."""
    audit = {row.id for rnd in run.rounds for row in rnd.query if row.slot == "audit"}
    return {id: answer for id, answer in answers_by_image(run).items() if id not in audit}


def metrics_shown(run: RunFolder) -> list[Metric]:
    """Return the metrics that this run has: escape and overkill rate only where known."""
    finished = [rnd.metrics or {} for rnd in run.finished]
    return [
        known
        for known in run.metrics
        if not known.needs_defects or any(row.get(known.name) is not None for row in finished)
    ]


def sentences(run: RunFolder) -> list[str]:
    """Say what was run, what it cost, how good it is and what the last round brought."""
    choices = run.choices
    training = run.setting("model", "training", default="")
    # The network itself: `model=` names a file of settings, whose backbone may be overridden.
    backbone = run.setting("model", "backbone", default="")
    if isinstance(backbone, Mapping):  # a network of the user's own
        backbone = backbone.get("_target_", "")
    model = ", ".join(filter(None, [backbone, training]))
    said = [
        f"Active learning by {choices.get('acquisition', 'an unnamed strategy')} on {name_of(run)}"
        + (f" ({model})" if model else "")
        + f", answered by {_ORACLES.get(choices.get('oracle', ''), 'an oracle')}."
    ]
    if not run.finished:
        return [*said, "No round is finished yet, so there is no score."]
    last = run.finished[-1].metrics or {}
    cost = f"{count(last['answers'], 'answer')} ({count(last['labels'], 'training label')})"
    if last.get("macro_f1") is None:
        return [*said, f"After {cost}, {without_score(run, last)}: there is no score."]
    rounds = count(run.finished[-1].number, "round")
    said.append(
        f"After {cost} in the cold start and {rounds}, macro-F1 is {number(last['macro_f1'])} "
        f"on {count(last['n'], 'held-out image')}."
    )
    return [*said, *_cold_start(run), *_last_round(run)]


def facts(run: RunFolder) -> Facts:
    """Return what is known of a run, for `advice`."""
    history = [rnd.metrics for rnd in run.finished if rnd.metrics is not None]
    rates = read_rates(run.root, len(history))
    counts = Counter(answer.label for answer in training_answers(run).values() if answer.label)
    return with_labels(facts_of(run.experiment, history, rates), counts)


def without_score(run: RunFolder, metrics: Mapping[str, Any]) -> str:
    """Say why a round has no score."""
    few = too_few(metrics) if run.answered_by_people and metrics.get("n") else None
    return few or "no held-out image has a label yet"


def _cold_start(run: RunFolder) -> list[str]:
    """Say why the cold start ended early, or that it still goes on."""
    notes = [(rnd, rnd.metrics["cold_start"]) for rnd in run.finished
             if rnd.metrics and "cold_start" in rnd.metrics]  # fmt: skip
    if not notes:
        return []
    rnd, note = notes[-1]
    asked_by_it = any(row.slot == SLOT for row in rnd.query)
    return [] if asked_by_it and rnd is not run.finished[-1] else [f"In round {rnd.number} {note}."]


def _last_round(run: RunFolder) -> list[str]:
    if len(run.finished) < 2:
        return []
    before, after = run.finished[-2], run.finished[-1]
    old, new = before.metrics or {}, after.metrics or {}
    brought = f"The last round's {count(new['answers'] - old['answers'], 'answer')}"
    said = []
    if old.get("macro_f1") is not None and new.get("macro_f1") is not None:
        change = new["macro_f1"] - old["macro_f1"]
        verb = "raised" if change > 0 else "lowered" if change < 0 else "did not change"
        moved = f" ({signed(change)})" if change else ""
        said.append(f"{brought} {verb} macro-F1 from {number(old['macro_f1'])}{moved}.")
    first = _labelled(run, after.number) - _labelled(run, before.number)
    if first:
        said.append(f"It found the first images of {', '.join(sorted(first))}.")
    return said


def _labelled(run: RunFolder, upto: int) -> set[str]:
    known = answers_by_image(run, upto)
    return {answer.label for answer in known.values() if answer.label}


def round_rows(run: RunFolder) -> list[dict[str, Any]]:
    """Return one row a finished round: its metrics, what it asked and how often it was right."""
    known = answers_by_image(run)
    rows = []
    previous = 0
    for rnd in run.finished:
        metrics = dict(rnd.metrics or {})
        verdicts = [verdict(row.prediction, known.get(row.id)) for row in rnd.query]
        judged = [right for right in verdicts if right is not None]
        rows.append(
            {
                **metrics,
                "new": metrics["answers"] - previous,
                "right": judged.count(True) / len(judged) if judged else None,
            }
        )
        previous = metrics["answers"]
    return rows


def verdict(prediction: str | None, answer: ImageAnswer | None) -> bool | None:
    """Tell whether a prediction was right; None where either side is missing."""
    if prediction is None or answer is None or answer.label is None:
        return None
    return prediction == answer.label


def class_rows(run: RunFolder) -> list[ClassRow]:
    """Return the classes in the configuration's order, the rarest one marked."""
    counts = Counter(answer.label for answer in training_answers(run).values() if answer.label)
    scores: Mapping[str, Any] = (run.finished[-1].metrics or {}).get("per_class", {}) \
        if run.finished else {}  # fmt: skip
    support = {name: (scores.get(name) or {}).get("support") or 0 for name in run.classes}
    size = {name: support[name] or counts[name] for name in run.classes}
    seen = {name: amount for name, amount in size.items() if amount}
    rarest = min(seen, key=lambda name: seen[name]) if len(seen) > 1 else None
    most = max(counts.values(), default=1)
    return [
        ClassRow(
            name,
            counts[name],
            counts[name] / most,
            scores.get(name) or {},
            defect=name in run.defects,
            rarest=name == rarest,
        )
        for name in run.classes
    ]


def confusion(last: RoundFiles | None) -> list[dict[str, Any]]:
    """Return the last round's confusion table: a row for each true class that was held out.

    A cell's `share` is its part of the row, 0..1. Empty where the metrics hold no table.
    """
    metrics = (last.metrics if last else None) or {}
    table, names = metrics.get("confusion"), list(metrics.get("per_class", {}))
    if not table:
        return []
    return [
        {
            "name": name,
            "cells": [
                {
                    "called": called,
                    "amount": amount,
                    "share": amount / sum(row),
                    "hit": called == name,
                }
                for called, amount in zip(names, row, strict=True)
            ],
        }
        for name, row in zip(names, table, strict=True)
        if sum(row)
    ]


def audit_rows(last: RoundFiles | None) -> list[tuple[str, dict[str, Any]]]:
    """Return what the audit says of the last model, in words; empty without one that says enough.

    Each row is a name and `rate`, `low`, `high` and `images`.
    """
    rates = ((last.metrics if last else None) or {}).get(AUDIT) or {}
    return [(words, rates[name]) for name, words in AUDIT_RATES.items() if name in rates]


def name_of(run: RunFolder) -> str:
    """Return what the run is called: its name, else its data, else its folder."""
    return str(run.setting("name") or run.choices.get("data") or run.root.name)
