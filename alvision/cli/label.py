"""`label`: the page for people. This process serves it and imports no torch."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from alvision.config.checks import validate
from alvision.config.compose import configuration
from alvision.config.schema import RunConfig
from alvision.data.cache import cache_folder
from alvision.data.hashes import content_hashes
from alvision.data.manifest import Manifest, build
from alvision.data.splits import audit_split, group_keys
from alvision.evaluation.metrics import metric
from alvision.labels.location import audit_location, labels_location, read_audit
from alvision.labels.store import LabelStore
from alvision.page.image_urls import read_secret
from alvision.page.state import PageContext

ORACLE = "oracle=page"


def label(words: list[str]) -> int:
    """Serve the page until Ctrl-C, with the loop's process beside it."""
    from alvision.page.server import serve

    config = configuration([ORACLE, *words])
    validate(config)
    manifest = build(config.data)
    console = Console(highlight=False, soft_wrap=True)
    with store_of(config, manifest.root) as store:
        serve(
            setting(config, manifest, store),
            host=config.page.host,
            port=config.page.port,
            loop=[sys.executable, "-m", "alvision.cli.label_loop", *words],
            hashes=lambda: content_hashes(manifest),
            open_browser=config.page.open,
            say=lambda line: console.print(line, markup=False),
        )
    return 0


def store_of(config: RunConfig, root: Path) -> LabelStore:
    """Open the people's store of a data set."""
    return LabelStore(config.labels.url or labels_location(root), shared=True)


def setting(config: RunConfig, manifest: Manifest, store: LabelStore) -> PageContext:
    """Gather what the page is told; the held-out images are those that the loop holds out."""
    audit = audit_location(store.path, manifest.root)
    split = audit_split(
        manifest.ids,
        group_keys(manifest, {}),
        share=config.audit.share,
        known=read_audit(audit),
    )
    depth = config.data.image.value_range
    return PageContext(
        root=Path(str(config.out)),
        store=store,
        paths=dict(zip(manifest.ids, manifest.paths, strict=True)),
        held_out=frozenset(split.held_out),
        secret=read_secret(audit.with_name("page.key")),
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
