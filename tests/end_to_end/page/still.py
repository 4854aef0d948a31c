"""A page over the files of a round that a model would have written; no model runs for it."""

import json
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from alvision.core.records import Query, QueryRow
from alvision.evaluation.metrics import metric
from alvision.labels.store import LabelStore
from alvision.page.app import Page
from alvision.page.guard import Guard
from alvision.page.state import PageContext
from alvision.run_folder.overview import Overview
from alvision.run_folder.round_files import QueryFile
from tests.end_to_end.page.conftest import CLASSES, painted
from tests.end_to_end.page.server import served

HELD_OUT, ASKED = 4, 24


@dataclass
class Still:
    """A page that is served from a thread of this process."""

    url: str
    page: Page
    store: LabelStore

    def image(self, address):
        return self.page.state.images.id(address)

    def events(self):
        return list(self.store.events())


def truth(image):
    """Say the class of a painted part from its number."""
    return CLASSES[int(image[5:8]) % len(CLASSES)]


@contextmanager
def still(folder, count=120, **settings):
    """Serve painted parts: the first few held out, some asked for, and an overview of all others.

    The model takes every tenth part for an ok one, wrongly or not. Three parts each are a group.
    """
    root = painted(folder / "photos", count)
    paths = {path.name: path for path in sorted(root.glob("*.png"))}
    names = list(paths)
    expected = {id: "ok" if k % 10 == 0 else truth(id) for k, id in enumerate(names)}
    pool = names[HELD_OUT:]
    rounds = folder / "run" / "rounds" / "001"
    for number in ("000", "001"):
        (folder / "run" / "rounds" / number).mkdir(parents=True)
        QueryFile().write(Query(int(number)), folder / "run" / "rounds" / number / "ranking.csv")
    QueryFile().write(Query(0), folder / "run" / "rounds" / "000" / "query.csv")
    said = {"neighbours": [[names[-1], "ok"]], "heatmap": "gone.png"}
    opinions = {id: {"probabilities": {expected[id]: 1.0}, **said} for id in pool[:ASKED]}
    (rounds / "opinions.json").write_text(json.dumps({"images": opinions}))
    rows = [
        QueryRow(id, k, 0.5, prediction=expected[id], reason="drawn at random")
        for k, id in enumerate(pool[:ASKED])
    ]
    QueryFile().write(Query(1, tuple(rows)), rounds / "query.csv")
    places = np.array([[CLASSES.index(truth(id)), k / 1000] for k, id in enumerate(pool)])
    shares = np.linspace(0.99, 0.5, len(pool), dtype=np.float32)
    Overview(
        tuple(pool), (None,) * len(pool), tuple(expected[id] for id in pool), shares, places
    ).write(folder / "run")
    with LabelStore(folder / "labels.db", shared=True) as store, store.database.held():
        context = PageContext(
            root=folder / "run",
            store=store,
            paths=paths,
            held_out=frozenset(names[:HELD_OUT]),
            secret=bytes(32),
            cache=folder / "thumbnails",
            metric=metric("macro_f1"),
            groups={id: str(k // 3) for k, id in enumerate(names)},
            **{"classes": CLASSES, "defects": CLASSES[1:], **settings},
        )
        page = Page(context)
        with served(Guard(page.app, token=None)) as address:
            yield Still(address, page, store)
