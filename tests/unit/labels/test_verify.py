import re
import sqlite3

import pytest

from alvision.labels.verify import verify
from tests.unit.labels.conftest import event, undo

IDS = ("a.png", "b.png", "c.png")
HASHES = {"a.png": "f0", "b.png": "f1", "c.png": "f2"}


def problems(store, **changes):
    known = {"ids": IDS, "hashes": HASHES, "classes": ["ok", "worn"]} | changes
    return verify(store, **known)


def test_a_sound_store_has_no_problems(store):
    assert problems(store) == []
    log = [
        event("1"),
        event("2", "b.png", "import", "skip"),
        undo("3", "1"),
        event("4", "moved.png", sha256="f2"),
    ]
    store.append(log, hash_of=HASHES.get)
    assert problems(store) == []


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ([undo("1", "never")], "1 undo events name an event that is not there: 1"),
        ([event("1", label="bent")], "1 labels are not a class of the configuration: bent"),
        ([event("1", kind="settle", label="bent")], "1 labels are not a class.*: bent"),
        (
            [event("1", "", "merge", "ok", target="bent")],
            "1 classes were merged into one that is not there: ok",
        ),
        ([event("1", "gone.png")], "1 labelled images are not in the data: gone.png"),
        ([event("1", sha256="old")], "1 images changed since they were labelled.*: a.png"),
        ([event("1"), event("2", label="worn", by="bert")], "1 images have tied votes: a.png"),
        (
            [event(str(i), f"{i}.png") for i in range(7)],
            "7 labelled.*: 0.png, 1.png, 2.png, 3.png, 4.png and 2 more",
        ),
    ],
)
def test_each_problem_is_one_line(store, log, told):
    store.append(log, hash_of=HASHES.get)
    (line,) = problems(store)
    assert re.fullmatch(told, line)


def test_what_was_taken_back_is_no_problem(store):
    store.append([event("1", "gone.png", label="bent"), undo("2", "1")], hash_of=HASHES.get)
    assert problems(store) == []


def test_a_gap_in_the_log(store):
    store.append([event(str(i)) for i in range(4)], hash_of=HASHES.get)
    connection = sqlite3.connect(store.path)
    connection.execute("DELETE FROM events WHERE number IN (1, 3)")
    connection.commit()
    connection.close()
    assert problems(store) == ["2 numbers are missing in the log, before: 2, 4"]


def test_a_damaged_index_is_found(store):
    store.append([event(f"uuid {i}") for i in range(3)], hash_of=HASHES.get)
    connection = sqlite3.connect(store.path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE type = 'index'"
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    data = bytearray(store.path.read_bytes())
    start = (page - 1) * size
    data[start : start + size] = data[start : start + size].replace(b"uuid 1", b"uuid 9")
    store.path.write_bytes(data)
    found = problems(store)
    assert found
    assert all(line.startswith("the database file is damaged: ") for line in found)
