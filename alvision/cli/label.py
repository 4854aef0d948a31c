"""`label`: the page for people. This process serves it and imports no torch."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.console import console
from alvision.cli.options import Options
from alvision.config.compose import configuration
from alvision.core.errors import UserError
from alvision.core.rounds import DOCUMENT
from alvision.core.shell import command
from alvision.data.cache import cache_folder
from alvision.dataset.dataset import DataSet
from alvision.dataset.people import begin_anew_if_groups_changed, with_people_choices
from alvision.dataset.relisting import relisted
from alvision.evaluation.metrics import metric, metrics_of
from alvision.labels.groups import GroupRule
from alvision.labels.store import LabelStore
from alvision.page.grouping import Grouping
from alvision.page.rows import shown_rows
from alvision.page.secret import read_secret
from alvision.page.state import Images, PageContext

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.data.checks.views import Views

USAGE = """\
alvision label data.root=photos
alvision label data.root=photos "classes=[ok,scratch,dent]" "defects=[scratch,dent]"
alvision label data.root=photos page.host=0.0.0.0 labels.votes=2

Opens a page in the browser and shows the first image at once. Without classes=
the page asks for them. One key answers: 1-9 a class, space skips, u unsure, z
undoes, ? shows all keys. The model learns beside the page: after every batch it
trains and chooses the next images, and nobody waits for it. Some images are drawn
at random and asked blind; only they say how good the model is.
Every answer is stored before the next image shows. Ctrl-C ends it, and the same
command goes on where it was. Labels that exist already count.
page.host=0.0.0.0 lets in others who have the link (they give a name; there are no
accounts). Nobody is given an image that is on somebody else's screen.
Quote brackets, because shells change them."""

OPTIONS: tuple[type[Options], ...] = ()

ORACLE = "oracle=page"


def label(words: list[str]) -> int:
    """Serve the page until Ctrl-C, with the loop's process beside it."""
    from alvision.page.server import serve

    given = configuration([ORACLE, *words])
    # The classes are the page's own to add to; how photographs are grouped is settled before.
    config = replace(given, data=with_people_choices(given).data)
    begin_anew_if_groups_changed(config)
    data = DataSet.open(config)
    page = data.config.page
    for notice in data.image_notices:
        console.print(f"warning: {notice}", markup=False)
    with data.label_store() as store:
        serve(
            page_context(data, store),
            host=page.host,
            port=page.port,
            loop=[sys.executable, "-m", "alvision.cli.label_loop", *words],
            images=listings(data),
            open_browser=page.open,
            say=lambda line: console.print(line, markup=False),
        )
        if following := next_command(Path(str(given.out)), store):
            console.print(f"next: {following}", markup=False)
    return 0


def listings(data: DataSet) -> Callable[[], Images | None]:
    """Return what lists the images of now; it returns None where nothing has changed."""
    listed: DataSet | None = None

    def images() -> Images | None:
        nonlocal listed
        if listed is None:  # nothing was said of the first ones yet
            # The first page, which is over by now, may have settled the groups.
            chosen = with_people_choices(data.config).data
            now: DataSet | None = DataSet.open(replace(data.config, data=chosen))
        else:
            now = relisted(listed)
        if now is None:
            return None
        manifest, held_out = now.manifest, frozenset(now.split.held_out)
        paths = dict(zip(manifest.ids, manifest.paths, strict=True))
        found = Images(paths, held_out, now.hashes, _groups(now))
        listed = now
        return found

    return images


def _groups(data: DataSet) -> dict[SampleId, str]:
    """Return the group of each image that shares one with others."""
    size = Counter(data.groups)
    named = zip(data.manifest.ids, data.groups, strict=True)
    return {id: name for id, name in named if size[name] > 1}


def _grouping(data: DataSet, store: LabelStore) -> Grouping:
    """Return what the first page can offer as rules for groups."""
    config, fixed = data.config, None
    if config.data.group_by != "none":
        fixed = f"data.group_by={config.data.group_by} says it already"
    elif any(event.id for event in store.events()):
        fixed = "photographs have answers, and the groups say which of them are held out"

    def look() -> Views:
        from alvision.data.checks.views import look_for_views

        return look_for_views(data.manifest, data.spec)

    def hold_out(rule: GroupRule) -> frozenset[SampleId]:
        grouped = replace(config.data, group_by=rule.group_by, group_pattern=rule.pattern)
        chosen = DataSet.open(replace(config, data=grouped))
        if len(set(chosen.groups)) < 2:
            raise UserError(
                f"this rule puts all {len(chosen.groups)} photographs into one group, so that none "
                "could be held out to measure the model: choose another"
            )
        begin_anew_if_groups_changed(chosen.config)
        return frozenset(chosen.split.held_out)

    return Grouping(look, hold_out, fixed)


def next_command(root: Path, store: LabelStore) -> str | None:
    """Return the command that makes a model of the labels; None while there is nothing to learn."""
    named = {event.label for event in store.events() if event.kind in ("label", "import")}
    if len(named) < 2 or not (root / DOCUMENT).exists():
        return None
    return command("alvision", "train", f"out={root}")


def page_context(data: DataSet, store: LabelStore) -> PageContext:
    """Return what the page needs to know; its held-out images are those of the loop."""
    config, manifest = data.config, data.manifest
    return PageContext(
        root=Path(str(config.out)),
        store=store,
        paths=dict(zip(manifest.ids, manifest.paths, strict=True)),
        held_out=frozenset(data.split.held_out),
        secret=read_secret(data.audit_file.with_name("page.key")),
        cache=cache_folder() / "page",
        metric=metric(config.target.metric, metrics_of(config.metrics)),
        classes=tuple(config.classes or ()),
        defects=tuple(config.defects or ()),
        spec=data.spec,
        set_aside=manifest.set_aside,
        dark=data.dark,
        votes=config.labels.votes,
        experts=tuple(config.labels.experts),
        initial=0 if config.budget.initial == "all" else int(config.budget.initial),
        blind=config.page.blind,
        grouping=None if manifest.features is not None else _grouping(data, store),
        groups=_groups(data),
        language=config.page.language,
        rows=shown_rows(manifest, data.hashes) if any(manifest.shown) else {},
    )
