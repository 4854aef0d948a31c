"""Tonight's batch, its tables, and what the answers prove."""

import csv
from dataclasses import replace
from datetime import date, timedelta

import pytest
from scipy import stats

from alvision.core.records import Answer
from alvision.labels.store import LabelStore
from alvision.watch import queue
from alvision.watch.judge import draw
from alvision.watch.records import FILE, Records, Row


def filled(path, folders, **more):
    """Return records of moved images, and their files."""
    records = Records(path / FILE)
    with records.writing():
        for i, folder in enumerate(folders):
            file = path / folder / f"{i}.png"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(b"%d" % i)
            values = {"state": "moved", "worth": i / 100, "audit": int(folder == "pass")} | more
            row = Row(f"{i}.png", f"{i:064x}", "now", "m", folder, f"{folder}/{i}.png", **values)
            records.add(row)
    return records


def table(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_the_queue_holds_the_audit_and_a_batch_a_day(tmp_path):
    records = filled(tmp_path, ["pass", "human", "new", "reject", "new", "pass"])
    today = date(2026, 3, 1)
    assert queue.fill(records, tmp_path, batch=2, today=today) == 4
    assert queue.fill(records, tmp_path, batch=2, today=today) == 0
    sheet = tmp_path / "queue-2026-03-01.csv"
    names = {"000001-0.png", "000003-2.png", "000005-4.png", "000006-5.png"}
    assert {row["id"] for row in table(sheet)} == names
    assert {p.name for p in (tmp_path / "queue").iterdir()} == names
    assert queue.fill(records, tmp_path, batch=2, today=today + timedelta(days=1)) == 1
    assert [row["id"] for row in table(tmp_path / "queue-2026-03-02.csv")] == ["000002-1.png"]
    records.close()


def test_a_table_that_somebody_filled_in_is_left_alone(tmp_path):
    records = filled(tmp_path, ["human"])
    today = date(2026, 3, 1)
    queue.fill(records, tmp_path, batch=9, today=today)
    sheet = tmp_path / "queue-2026-03-01.csv"
    with records.writing():
        (tmp_path / "human" / "b, c.png").write_bytes(b"b")
        records.add(
            Row("b, c.png", "b", "now", "m", "human", "human/b, c.png", state="moved", worth=1)
        )
    queue.fill(records, tmp_path, batch=9, today=today)
    assert [row["id"] for row in table(sheet)] == ["000001-0.png", "000002-b, c.png"]
    sheet.write_text("id;label\n000001-0.png;ok\n")
    with records.writing():
        (tmp_path / "human" / "d.png").write_bytes(b"d")
        records.add(Row("d.png", "d", "now", "m", "human", "human/d.png", state="moved", worth=1))
    queue.fill(records, tmp_path, batch=9, today=today)
    assert sheet.read_text() == "id;label\n000001-0.png;ok\n"
    assert [row["id"] for row in table(tmp_path / "queue-2026-03-01-2.csv")] == ["000003-d.png"]
    records.close()


def test_the_bound_counts_whole_batches_and_doubt_against_the_line(tmp_path):
    records = filled(tmp_path, ["pass"] * 20)
    queue.fill(records, tmp_path, batch=9, today=date(2026, 3, 1))

    def told():
        return queue.audited(records, tmp_path, "m", good=["ok"], labels=None)

    assert told().answered == 0 and told().at_most == 1 and told().open == 20
    rows = records.rows("1")
    content = {row.queue: row.sha256 for row in rows}
    *answered, last = (
        Answer(row.queue, "label", "worn" if row.number == 3 else "ok", "me", 0, f"{row.number}")
        for row in rows
    )
    with LabelStore(tmp_path / "queue.alvision" / "labels.db", shared=True) as store:
        store.append(answered, hash_of=content.get)
        assert told().answered == 0 and told().open == 1
        store.append([replace(last, kind="unsure", label=None)], hash_of=content.get)
    audit = told()
    assert (audit.passed, audit.drawn, audit.answered, audit.escaped) == (20, 20, 20, 2)
    limit = stats.binomtest(2, 20, alternative="less").proportion_ci(0.95, "exact").high
    assert audit.at_most == pytest.approx(limit)
    assert queue.audited(records, tmp_path, "other", good=["ok"], labels=None).drawn == 0
    records.close()


def test_the_audit_is_drawn_evenly_and_from_the_file_alone():
    drawn = [draw(f"{i}.png", f"{i:064x}") for i in range(2000)]
    assert stats.kstest(drawn, "uniform").pvalue > 0.001
    assert drawn == [draw(f"{i}.png", f"{i:064x}") for i in range(2000)]
