"""Tonight's batch and its tables."""

import csv
from datetime import date, timedelta

from alvision.watch import queue
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
