"""Short ways to make events."""

import pytest

from alvision.core.records import Event
from alvision.labels.store import LabelStore
from tests.support import postgres
from tests.support.parts import imported


def event(uuid, id="a.png", kind="label", label="ok", by="anna", **fields):
    """Return an event; only kinds that name a class keep the label."""
    names_class = kind in ("label", "import", "settle", "add", "rename", "merge", "mark", "book")
    return Event(id, kind, label if names_class else None, by, 0, uuid, **fields)


def undo(uuid, target, by="anna"):
    return event(uuid, kind="undo", by=by, target=target)


@pytest.fixture(scope="session")
def postgres_server():
    """Run one server for all tests; what it loses in a power cut nobody misses."""
    imported("psycopg")
    with postgres.server("fsync=off", "max_connections=200") as server:
        yield server


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        yield store


POSTGRES = pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])


@pytest.fixture(params=["sqlite", POSTGRES])
def open_store(request, tmp_path):
    """Return a function that opens the test's one store, on either database, again and again."""
    if request.param == "sqlite":
        where = tmp_path / "labels.db"
    else:
        where = request.getfixturevalue("postgres_server").new_database()
    opened = []

    def open_store(**options):
        opened.append(LabelStore(where, shared=True, **options))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()
