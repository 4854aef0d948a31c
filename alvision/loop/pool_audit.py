"""Audit what the last model of a run with people calls the images that nobody has labelled.

It is apart from the monitor images: those measure every model and stay a uniform sample. The set
of this audit is fixed with its first call, and so is what the model says of it. So the answers may
train later models, and the figures stay those of this one.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alvision.core.errors import UserError
from alvision.core.rounds import lock, write_atomically
from alvision.core.seeding import derive
from alvision.evaluation.pool_audit import PoolAudit
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.labels.consensus import answered, consensus
from alvision.loop.build import build_learner, unlabelled
from alvision.run_folder.pool_audit import CALLS, read_draws, write_draws, write_rates

if TYPE_CHECKING:
    from alvision.dataset.dataset import DataSet
    from alvision.labels.store import LabelStore


def audit_pool(data: DataSet, store: LabelStore, root: Path, n: int) -> tuple[int, PoolAudit]:
    """Go on with the audit of a run's last model; return that model's round, and the audit.

    Draws images until n of them wait for an answer, and writes `pool_predictions.parquet`,
    `pool_draws.csv` and `pool_audit.json` into the folder of the round.

    Raises:
        UserError: The run is simulated, or has no model, or no image without a label.
    """
    if not data.answered_by_people:
        raise UserError(
            f"{root} is a simulated run, whose test images say how good it is: an audit is for "
            "runs with people"
        )
    finished = sorted((root / "rounds").glob("[0-9]*/metrics.json"))
    if not finished:
        raise UserError(f"{root} has no finished round: there is no model to audit yet")
    folder = finished[-1].parent
    if not (folder / CALLS).exists():
        _write_calls(data, store, root, folder)
    calls = ClassProbabilities.read(folder / CALLS).onto(data.classes)
    drawn = read_draws(folder)
    # An image that was renamed since has another id, and the same bytes.
    now = dict(zip(calls.ids, map(data.locate, calls.ids, calls.sha256), strict=True))
    events = store.events()
    votes, spoken = consensus(events, data.resolve), answered(events, data.resolve)
    labels = {
        id: votes[place].label for id, place in now.items() if place is not None and place in votes
    }
    audit = PoolAudit(
        calls,
        drawn,
        {id: label for id, label in labels.items() if label in data.classes},
        # A photograph that is gone cannot be answered any more.
        frozenset(
            id for id, place in now.items() if id not in labels and (not place or place in spoken)
        ),
        data.config.defects or (),
    )
    number = int(folder.name)
    rng = np.random.default_rng(derive(data.config.seed, "pool audit", number, len(drawn)))
    more = audit.more(max(0, n - len(audit.open)), rng)
    if more:
        audit = replace(audit, drawn=[*drawn, *more])
        write_draws(folder, audit.drawn)
    write_rates(folder, len(calls), {name: asdict(rate) for name, rate in audit.rates.items()})
    return number, audit


def _write_calls(data: DataSet, store: LabelStore, root: Path, folder: Path) -> None:
    learner = build_learner(data.config, data, progress=False)
    ids = unlabelled(store, data)
    if not ids:
        raise UserError("every image that may be chosen has an answer: there is nothing to audit")
    with lock(root):
        model = learner.load(folder / "model.ckpt")
        if not model.fitted:
            raise UserError("the last model knows one class: label images of a second one first")
        write_atomically(folder / CALLS, learner.predict(model, ids).write)
