import sqlite3
import threading
from dataclasses import replace

import pytest

from alvision.core.errors import UserError
from alvision.labels.backup import back_up, is_backup, rebuild
from alvision.labels.guidelines import Entry, write
from alvision.labels.store import LabelStore
from tests.unit.labels.conftest import event, undo


def no_hash(id):
    return None


TIME = "2026-03-02T09:30:00.000Z"
LOG = [
    replace(event("1", 'ä, "b"\n.png', label="wörn", sha256="f0"), seconds=0.1, time=TIME),
    event("2", kind="flag", note="line one\nline two; 'x'"),
    undo("3", "1"),
    event("4", "", "add", "bent"),
    event("5", "", "rename", "ok", target="fine"),
    event("6", "", "book", "ok", note=write(Entry("a rule", ("a.png",)))),
    event("7", kind="settle", label="bent", book=1),
    event("8", "", "close"),
    event("9", "b.png", "import", "skip"),
]


def test_a_store_is_rebuilt_from_its_log_and_its_copy_is_the_store(open_store, tmp_path):
    store = open_store()
    store.append(LOG, hash_of=no_hash)
    (tmp_path / "audit.csv").write_text("group,part\n")
    beside = [tmp_path / "audit.csv", tmp_path / "none.csv"]
    assert back_up(store, tmp_path / "kept", beside=beside) == 9
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "audit.csv",
        "labels.csv",
        "labels.db",
    ]
    assert is_backup(tmp_path / "kept")
    assert not is_backup(tmp_path)
    with LabelStore(tmp_path / "new" / "labels.db") as other:
        assert rebuild(other, tmp_path / "kept") == 9
        assert other.events() == store.events()
        with pytest.raises(UserError, match="holds events already"):
            rebuild(other, tmp_path / "kept")
    with LabelStore(tmp_path / "kept" / "labels.db") as copy:
        assert copy.events() == store.events()
        assert copy.integrity() == []
    with pytest.raises(UserError, match="exists already"):
        back_up(store, tmp_path / "kept")


def test_a_log_that_lost_a_line_is_not_taken_for_whole(store, tmp_path):
    store.append(LOG, hash_of=no_hash)
    back_up(store, tmp_path / "kept")
    table = tmp_path / "kept" / "labels.csv"
    text = table.read_bytes()
    table.write_bytes(text.replace(b"4,,add,bent,anna,0,,4,,,,,\r\n", b""))
    assert len(table.read_bytes()) < len(text)
    with (
        LabelStore(tmp_path / "new.db") as other,
        pytest.raises(UserError, match="lacks events"),
    ):
        rebuild(other, tmp_path / "kept")


def test_the_held_out_parts_come_back_and_only_into_an_empty_store(store, tmp_path):
    parts = tmp_path / "audit.csv"
    parts.write_text("group,part\nlot7,seal\n")
    store.append(LOG, hash_of=no_hash)
    back_up(store, tmp_path / "kept", beside=[parts])
    parts.write_text("group,part\nlot7,pool\n")
    with pytest.raises(UserError, match="holds events already"):
        rebuild(store, tmp_path / "kept", beside=[parts])
    assert "pool" in parts.read_text()
    with LabelStore(tmp_path / "new.db") as other:
        assert rebuild(other, tmp_path / "kept", beside=[parts, tmp_path / "none"]) == len(LOG)
    assert "lot7,seal" in parts.read_text() and not (tmp_path / "none").exists()


def test_while_others_write_it_is_of_one_moment(open_store, tmp_path):
    store, writer = open_store(), open_store()
    stop = threading.Event()

    def work():
        for i in range(10_000):
            if stop.is_set():
                return
            writer.append([event(f"{i}a"), event(f"{i}b")], hash_of=no_hash)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while store.last() < 4:
            pass
        back_up(store, tmp_path / "kept")
    finally:
        stop.set()
        thread.join()
    with LabelStore(tmp_path / "kept" / "labels.db") as copy:
        kept = copy.events()
    assert len(kept) % 2 == 0, "every append is whole or not there"
    assert kept == store.events(upto=len(kept))


def test_gaps_of_a_damaged_store_are_kept_as_they_are(store, tmp_path):
    store.append(LOG, hash_of=no_hash)
    connection = sqlite3.connect(store.path)
    connection.execute("DELETE FROM events WHERE number = 2")
    connection.commit()
    connection.close()
    assert back_up(store, tmp_path / "kept") == 8
    with LabelStore(tmp_path / "kept" / "labels.db") as copy:
        assert [e.number for e in copy.events()] == [1, 3, 4, 5, 6, 7, 8, 9]
