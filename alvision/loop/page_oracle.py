"""A run whose people answer on the page: its oracle, and the work beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core.records import SampleId
from alvision.core.rounds import Codec, rounds_of
from alvision.explain.opinions import Opinions
from alvision.labels.consensus import Resolve, consensus
from alvision.labels.store import LabelStore
from alvision.oracles.page import PageOracle

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.data.manifest import Manifest
    from alvision.training import Learner

SPARE_BATCHES = 3
"""Images ranked behind each batch, in batches: work for as long as the next model takes."""


def page_oracle(
    config: RunConfig,
    root: Path,
    *,
    store: LabelStore,
    resolve: Resolve,
    learner: Learner,
    manifest: Manifest,
    pool: Collection[SampleId],
    codecs: Mapping[str, Codec],
    wait: bool,
) -> PageOracle:
    """Build the oracle that waits for the page.

    Args:
        config: The configuration.
        root: The run's folder.
        store: Where the page puts the answers.
        resolve: Tells which image of today an event is about.
        learner: Says what the model thinks.
        manifest: The images.
        pool: The images that may be trained on.
        codecs: How the round's files are read.
        wait: Wait for people; else end when they are not done.
    """
    candidates = frozenset(pool)

    def labels() -> dict[SampleId, str]:
        settled = consensus(store.events(), resolve)
        return {id: found.label for id, found in settled.items() if id in candidates}

    opinions = Opinions(
        lambda number: rounds_of(root, codecs, number)[number], learner, labels, manifest.path
    )
    return PageOracle(
        store,
        resolve,
        classes=learner.classes,
        votes=config.labels.votes,
        meanwhile=opinions,
        wait=wait,
    )


def settled_classes(config: RunConfig, store: LabelStore) -> dict[str, Any]:
    """Return `classes` and `defects` as the log has them now: the configured ones, and more."""
    from alvision.labels.classes import added_defects, class_list

    events = store.events()
    keys = class_list(config.classes or (), events).keys
    defects = [*(config.defects or ()), *sorted(added_defects(events) - set(config.defects or ()))]
    return {"classes": list(keys), "defects": [key for key in defects if key in keys] or None}
