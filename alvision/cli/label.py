"""`label`: the page for people. This process serves it and imports no torch."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from alvision.config.compose import configuration
from alvision.data.cache import cache_folder
from alvision.dataset.dataset import DataSet
from alvision.evaluation.metrics import metric
from alvision.labels.store import LabelStore
from alvision.page.image_urls import read_secret
from alvision.page.state import PageContext

ORACLE = "oracle=page"


def label(words: list[str]) -> int:
    """Serve the page until Ctrl-C, with the loop's process beside it."""
    from alvision.page.server import serve

    data = DataSet.open(configuration([ORACLE, *words]))
    page = data.config.page
    console = Console(highlight=False, soft_wrap=True)
    with data.label_store() as store:
        serve(
            page_context(data, store),
            host=page.host,
            port=page.port,
            loop=[sys.executable, "-m", "alvision.cli.label_loop", *words],
            hashes=lambda: data.hashes,
            open_browser=page.open,
            say=lambda line: console.print(line, markup=False),
        )
    return 0


def page_context(data: DataSet, store: LabelStore) -> PageContext:
    """Return what the page needs to know; its held-out images are those of the loop."""
    config, manifest = data.config, data.manifest
    depth = config.data.image.value_range
    return PageContext(
        root=Path(str(config.out)),
        store=store,
        paths=dict(zip(manifest.ids, manifest.paths, strict=True)),
        held_out=frozenset(data.split.held_out),
        secret=read_secret(data.audit_file.with_name("page.key")),
        cache=cache_folder() / "page",
        metric=metric(config.target.metric),
        classes=tuple(config.classes or ()),
        defects=tuple(config.defects or ()),
        value_range=tuple(depth) if depth else None,
        votes=config.labels.votes,
        experts=tuple(config.labels.experts),
        initial=0 if config.budget.initial == "all" else int(config.budget.initial),
        blind=config.page.blind,
    )
