"""What a store promises on either database."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from alvision.core.errors import UserError
from alvision.core.records import Answer, Answers
from alvision.labels.store import LabelStore
from tests.unit.labels.conftest import event, undo


def no_hash(id):
    return None


def test_the_log_is_the_same(open_store):
    store = open_store()
    assert (store.events(), store.last(), store.integrity()) == ((), 0, [])
    said = Answer("ä/ß 1.png", "label", 'wörn, "x"\n', "anna", 7, "u", seconds=0.1)
    noted = event("n", kind="flag", note="'; DROP TABLE events; --\r\n☂", book=3)
    first = store.append([said, noted, said], hash_of=lambda id: "f00d")
    assert first.pin == 2
    assert {name: getattr(first.events[0], name) for name in vars(said)} == vars(said)
    assert first.events[1] == replace(noted, number=2, sha256="f00d")
    again = open_store()
    assert again.append([said], since=2, hash_of=no_hash) == Answers((), 2)
    assert again.append([undo("v", "u")], since=2, hash_of=no_hash).pin == 3
    assert [e.number for e in store.events(since=1, upto=2)] == [2]
    assert store.last() == 3
    assert store.integrity() == []


def test_a_log_shorter_than_the_pin_is_another_store(open_store):
    with pytest.raises(UserError, match="ends at event 0"):
        open_store().append([event("2")], since=3, hash_of=no_hash)
    assert open_store().events() == ()


def test_a_character_that_no_database_keeps_is_refused(open_store):
    with pytest.raises(UserError, match=r"note .* NUL"):
        open_store().append([event("1", kind="flag", note="a\x00b")], hash_of=no_hash)


def test_two_interleaved_transactions_leave_no_event_behind_a_pin(open_store):
    """If the second could commit first, a reader's pin would pass the first one's number by."""
    slow, fast, reader = open_store(), open_store(), open_store()
    slow.append([event("0")], hash_of=no_hash)
    started = threading.Event()

    def overtake():
        started.set()
        return fast.append([event("overtakes")], since=1, hash_of=no_hash)

    with ThreadPoolExecutor(1) as pool:
        with slow.database.writing():
            later = pool.submit(overtake)
            assert started.wait(60)
            with pytest.raises(TimeoutError):
                later.result(timeout=0.3)
            assert reader.events(since=1) == ()
        got = later.result(timeout=60)
    assert [e.number for e in got.events] == [2]
    assert [e.uuid for e in reader.events(since=1)] == ["overtakes"]


def test_many_writers_make_one_gapless_log(open_store):
    store = open_store()

    def write(who):
        mine = [str(uuid.uuid4()) for _ in range(10)]
        pin, seen = 0, []
        for name in mine:
            got = store.append([event(name, by=who), event("shared")], since=pin, hash_of=no_hash)
            pin, seen = got.pin, [*seen, *got.events]
        return mine, seen

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(write, "abcd"))
    log = store.events()
    assert [e.number for e in log] == list(range(1, 42))
    assert {e.uuid for e in log} == {"shared", *(name for mine, _ in told for name in mine)}
    for _, seen in told:
        assert tuple(seen) == log[: len(seen)], "a reader's slices miss nothing and repeat nothing"


def test_a_lock_that_is_held_too_long(open_store):
    holder, waiter = open_store(), open_store(timeout=0.05)
    holder.append([event("1")], hash_of=no_hash)
    with holder.database.writing(), pytest.raises(UserError, match="locked by another process"):
        waiter.append([event("2")], hash_of=no_hash)
    assert waiter.append([event("2")], hash_of=no_hash).pin == 2


def test_a_database_of_something_else_is_refused(open_store):
    store = open_store()
    with store.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE leases")
    with pytest.raises(UserError, match="not a label store of this version"):
        open_store()


@pytest.mark.postgres
@pytest.mark.slow
def test_what_is_wrong_with_a_server_is_named(postgres_server):
    with pytest.raises(UserError, match=r'cannot be reached \(.*database "nowhere" does not exist'):
        LabelStore(postgres_server.url("nowhere"))
    with pytest.raises(UserError, match=r"cannot be reached \(Connection refused"):
        LabelStore("postgresql+psycopg://me@localhost:1/x?connect_timeout=2")


def test_a_password_is_not_taken_in_a_url():
    with pytest.raises(UserError, match="PGPASSWORD") as error:
        LabelStore("postgresql+psycopg://me:secret@localhost:1/x")
    assert "secret" not in str(error.value)


def test_a_new_store_that_is_held_keeps_its_write_ahead_log(tmp_path):
    """Else every transaction ends with a checkpoint, which costs more than the transaction."""
    with LabelStore(tmp_path / "new.db", shared=True) as store, store.database.held():
        for name in ("1", "2"):
            store.append([event(name)], hash_of=no_hash)
            assert (tmp_path / "new.db-wal").stat().st_size > 0
    assert not (tmp_path / "new.db-wal").exists()
