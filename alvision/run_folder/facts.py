"""What a run's files say to `advice`: the same for terminal, page, report and Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from alvision.advice.facts import Facts, Share, round_facts
from alvision.core.records import SECONDS_PER_LABEL
from alvision.core.rounds import read_document
from alvision.evaluation.metrics import metric, recorded
from alvision.run_folder.pool_audit import read_rates
from alvision.run_folder.round_files import MetricsFile


def read_facts(root: Path) -> Facts:
    """Read what is known of a run from its folder alone.

    Raises:
        UserError: The folder is not a run's.
    """
    document = read_document(root)
    people = _answered_by_people(document)
    files = sorted((root / "rounds").glob("[0-9]*/metrics.json"))
    history = [MetricsFile(audit=people).read(file) for file in files]
    return facts_of(document, history, read_rates(root, len(history)))


def facts_of(
    document: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    unlabelled: Mapping[str, Any] | None = None,
) -> Facts:
    """Return what the finished rounds say; what is known of this moment is to be put in its place.

    Args:
        document: The content of `experiment.yaml`.
        history: The content of each finished round's metrics.json.
        unlabelled: What `pool_audit.read_rates` says; None: nothing.
    """
    config, people = document["config"], _answered_by_people(document)
    budget, target = config["budget"], config["target"]
    name, defects = target["metric"], document.get("defects") or ()
    rounds = tuple(round_facts(row, metric=name, defects=defects) for row in history)
    last = history[-1] if history else {}
    answers, seconds = last.get("answers"), last.get("seconds")
    facts = Facts(
        people=people,
        metric=metric(name, recorded(document.get("metrics"))).title,
        target=target.get("value"),
        rounds=rounds,
        choosing=bool(rounds),
        images=last.get("pool"),
        labels=last.get("labels", 0),
        batch=budget["batch"],
        value_of_error=(config.get("advice") or {}).get("value_of_error"),
        audit=(last.get("n") or 0) if people else 0,
        unlabelled=Share.audited((unlabelled or {}).get("error")),
        audited=(unlabelled or {}).get("images", 0),
        seconds=seconds / answers if seconds and answers else SECONDS_PER_LABEL,
    )
    if not people:
        return facts  # nobody is asked, so nothing is next
    asked = budget["batch"] if rounds else budget["initial"]
    if rounds:
        return replace(facts, to_learn=asked + budget["audit"])
    return replace(facts, to_learn=None if asked == "all" else int(asked))


def with_labels(facts: Facts, classes: Mapping[str, int]) -> Facts:
    """Return facts that know how many labels each class has, of images that may be trained on."""
    return replace(
        facts,
        classes=classes,
        labels=sum(classes.values()),
        choosing=bool(facts.rounds) and len(classes) > 1,
    )


def _answered_by_people(document: Mapping[str, Any]) -> bool:
    return (document["config"].get("oracle") or {}).get("kind", "simulated") != "simulated"
