import os
import sqlite3
from dataclasses import replace

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.core.records import Answer, Answers
from alvision.labels.store import LabelStore
from tests.unit.labels.conftest import event, undo

TIME = "2026-03-02T09:30:00.000Z"


def no_hash(id):
    return None


def test_an_append_returns_everything_after_the_pin(store):
    first = store.append([event("1"), event("2", id="b.png")], hash_of={"b.png": "ff"}.get)
    assert [(e.number, e.uuid, e.sha256) for e in first.events] == [(1, "1", None), (2, "2", "ff")]
    assert first.pin == 2
    store.append([event("extra")], since=2, hash_of=no_hash)
    later = store.append([event("3"), undo("4", "1")], since=2, hash_of=no_hash)
    assert [e.uuid for e in later.events] == ["extra", "3", "4"]
    assert later.pin == 5
    assert later.events[-1].target == "1"
    assert store.append([], since=5, hash_of=no_hash) == Answers((), 5)


def test_every_field_comes_back(store):
    said = Answer("ä/ß 1.png", "label", 'wörn, "x"\n', "anna", 7, "u", seconds=1.25)
    store.append([said], hash_of=lambda id: "f00d")
    (kept,) = store.events()
    assert {name: getattr(kept, name) for name in vars(said)} == vars(said)
    assert (kept.number, kept.target, kept.sha256) == (1, None, "f00d")


def test_the_first_delivery_counts(store):
    store.append([event("1", label="ok"), event("1", label="ok")], hash_of=no_hash)
    store.append([event("1", label="worn"), event("2")], hash_of=no_hash)
    assert [(e.number, e.uuid, e.label) for e in store.events()] == [(1, "1", "ok"), (2, "2", "ok")]


def test_a_number_that_an_event_brings_is_not_taken_over(store):
    store.append([replace(event("1"), number=41, sha256="own")], hash_of=lambda id: "other")
    assert [(e.number, e.sha256) for e in store.events()] == [(1, "own")]


def test_a_slice_of_the_log(store):
    store.append([event(str(i)) for i in range(1, 6)], hash_of=no_hash)
    assert [e.number for e in store.events(since=1, upto=3)] == [2, 3]
    assert store.events(upto=0) == ()


@given(st.lists(st.lists(st.integers(0, 15)), max_size=8))
@settings(max_examples=8)
def test_however_events_are_delivered_the_log_is_gapless(tmp_path_factory, deliveries):
    with LabelStore(tmp_path_factory.mktemp("store") / "labels.db") as store:
        for names in deliveries:
            store.append([event(str(name)) for name in names], hash_of=no_hash)
        log = store.events()
    first_seen = list(dict.fromkeys(str(name) for names in deliveries for name in names))
    assert [e.uuid for e in log] == first_seen
    assert [e.number for e in log] == list(range(1, len(log) + 1))


@pytest.mark.parametrize(
    "wrong",
    [
        event("1", kind="rename"),
        replace(event("1"), label=None),
        replace(event("1", kind="skip"), label="ok"),
        event("1", kind="undo"),
        event("1", target="2"),
    ],
)
def test_an_event_that_contradicts_its_kind_records_nothing(store, wrong):
    with pytest.raises(ValueError):
        store.append([event("0"), wrong], hash_of=no_hash)
    assert store.events() == ()


def test_reading_makes_no_file(tmp_path):
    with LabelStore(tmp_path / "sub" / "labels.db") as store:
        assert (store.events(), store.integrity()) == ((), [])
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_an_empty_store(tmp_path):
    (tmp_path / "labels.db").touch()
    with LabelStore(tmp_path / "labels.db") as store:
        assert store.events() == ()
        assert store.append([event("1")], hash_of=no_hash).pin == 1


@pytest.mark.parametrize("name", ["labels.db", "Prüf #1 ?x=1 %20.db"])
def test_any_path_will_do(tmp_path, name):
    path = tmp_path / "a folder" / name
    with LabelStore(path) as store:
        store.append([event("1")], hash_of=no_hash)
    assert path.is_file()
    with LabelStore(path) as store:
        assert len(store.events()) == 1


def test_a_url_names_a_file(tmp_path):
    with LabelStore(f"sqlite:///{(tmp_path / 'x.db').as_posix()}") as store:
        store.append([event("1")], hash_of=no_hash)
    assert (tmp_path / "x.db").is_file()


@pytest.mark.parametrize("url", ["postgresql://host/labels", "sqlite://", "://"])
def test_a_url_of_something_else_is_refused(url):
    with pytest.raises(UserError, match="sqlite:///FILE"):
        LabelStore(url)


@pytest.mark.parametrize(("shared", "mode"), [(True, "wal"), (False, "delete")])
def test_a_shared_store_writes_ahead(tmp_path, shared, mode):
    with LabelStore(tmp_path / "labels.db", shared=shared) as store:
        store.append([event("1")], hash_of=no_hash)
    connection = sqlite3.connect(tmp_path / "labels.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
    connection.close()


@pytest.mark.parametrize("shared", [True, False])
def test_a_file_that_is_no_database_is_refused(tmp_path, shared):
    path = tmp_path / "labels.db"
    path.write_text("id,label\n" * 200)
    with pytest.raises(UserError, match=r"labels\.db is not a label store"):
        LabelStore(path, shared=shared)
    assert path.read_text() == "id,label\n" * 200


def old_store(open_store):
    """Return a store as an earlier version wrote it: without times, with one event."""
    store = open_store()
    store.append([replace(event("1"), time=TIME)], hash_of=no_hash)
    with store.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE events DROP COLUMN time")
    return open_store()


def test_a_store_without_times_is_read_and_gets_them(open_store):
    other = old_store(open_store)
    assert [(e.uuid, e.time) for e in other.events()] == [("1", None)]
    assert other.last() == 1
    reader = open_store()
    other.append([replace(event("2"), time=TIME)], hash_of=no_hash)
    assert [e.time for e in reader.events()] == [e.time for e in other.events()] == [None, TIME]


def test_a_write_that_fails_leaves_an_old_store_as_it_was(open_store):
    store = old_store(open_store)
    with pytest.raises(ZeroDivisionError), store.database.writing():
        raise ZeroDivisionError
    assert [e.time for e in store.events()] == [None]
    store.append([replace(event("2"), time=TIME)], hash_of=no_hash)
    assert [e.time for e in open_store().events()] == [None, TIME]


def test_an_old_store_on_a_read_only_disk_is_read(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        store.append([event("1")], hash_of=no_hash)
        with store.database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE events DROP COLUMN time")
    before = (tmp_path / "labels.db").read_bytes()
    with LabelStore(tmp_path / "labels.db") as store:
        assert [e.time for e in store.events()] == [None]
    assert (tmp_path / "labels.db").read_bytes() == before


@pytest.mark.parametrize("table", ["events (number)", "parts (id)"])
def test_another_database_is_refused(tmp_path, table):
    connection = sqlite3.connect(tmp_path / "labels.db")
    connection.execute(f"CREATE TABLE {table}")
    connection.close()
    with pytest.raises(UserError, match="not a label store of this version"):
        LabelStore(tmp_path / "labels.db")


def test_a_folder_in_its_place_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be opened"):
        LabelStore(tmp_path)


def test_a_file_where_its_folder_should_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"labels\.url"):
        LabelStore(tmp_path / "file" / "labels.db").append([], hash_of=no_hash)


def test_a_log_shorter_than_the_pin_is_another_store(store):
    store.append([event("1")], hash_of=no_hash)
    with pytest.raises(UserError, match="ends at event 1"):
        store.append([event("2")], since=3, hash_of=no_hash)
    assert len(store.events()) == 1


def test_a_lock_that_is_held_too_long(tmp_path):
    path = tmp_path / "labels.db"
    with LabelStore(path, timeout=0.05) as store:
        store.append([event("1")], hash_of=no_hash)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match="locked by another process"):
            store.append([event("2")], hash_of=no_hash)
        other.close()
        assert store.append([event("2")], hash_of=no_hash).pin == 2


def test_a_full_disk_loses_nothing(store):
    store.append([event("1")], hash_of=no_hash)

    def fill(connection, _):
        connection.execute("PRAGMA max_page_count = 4")

    sqlalchemy.event.listen(store.database._engine, "connect", fill)
    with pytest.raises(UserError, match="disk is full"):
        store.append([event(str(i) * 500) for i in range(100)], hash_of=no_hash)
    sqlalchemy.event.remove(store.database._engine, "connect", fill)
    assert [e.uuid for e in store.events()] == ["1"]
    assert store.append([event("2")], hash_of=no_hash).pin == 2


def test_a_damaged_file_is_named(store):
    store.append([event(str(i) * 100) for i in range(200)], hash_of=no_hash)
    data = bytearray(store.path.read_bytes())
    for start in range(8192, len(data), 4096):
        data[start : start + 2000] = b"\xff" * 2000
    store.path.write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        store.events()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_store_that_cannot_be_written(store):
    store.append([event("1")], hash_of=no_hash)
    store.path.chmod(0o400)
    with pytest.raises(UserError, match="cannot be written"):
        store.append([event("2")], hash_of=no_hash)
    assert len(store.events()) == 1


def test_a_connection_that_may_only_read_is_explained(store):
    store.append([event("1")], hash_of=no_hash)
    sqlalchemy.event.listen(
        store.database._engine,
        "connect",
        lambda connection, _: connection.execute("PRAGMA query_only = 1"),
    )
    with pytest.raises(UserError, match="cannot be written"):
        store.append([event("2")], hash_of=no_hash)
