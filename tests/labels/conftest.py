"""Short ways to make events."""

import pytest

from alvision.labels.store import LabelStore
from alvision.records import Event


def event(uuid, id="a.png", kind="label", label="ok", by="anna", **fields):
    """Return an event; only labels and imports keep the label."""
    return Event(id, kind, label if kind in ("label", "import") else None, by, 0, uuid, **fields)


def undo(uuid, target, by="anna"):
    return event(uuid, kind="undo", by=by, target=target)


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        yield store
