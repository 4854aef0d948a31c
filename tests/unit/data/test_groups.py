import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.groups import by_capture_time, by_pattern, exif_time
from alvision.data.manifest import build
from tests.conftest import paint

START = datetime(2026, 1, 2, 10)


def at(*seconds):
    return [START + timedelta(seconds=s) for s in seconds]


def photograph(path, taken: str | None, modified: datetime = START):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    paint(0, "ok").save(path, exif=exif)
    seconds = modified.replace(tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))


def test_none_and_parent(parts):
    cfg = DataConfig(kind="folder", root=str(parts))
    assert set(build(cfg).groups) == {None}
    assert set(build(replace(cfg, group_by="parent")).groups) == {"ok", "worn"}


def test_unknown_ways_and_absent_columns_are_refused(parts):
    with pytest.raises(UserError, match=r"group_by=lot is unknown: choose none, column"):
        build(DataConfig(kind="folder", root=str(parts), group_by="lot"))
    with pytest.raises(UserError, match=r"data=folder has no groups"):
        build(DataConfig(kind="folder", root=str(parts), group_by="column"))


def test_pattern_takes_its_first_group_or_the_match():
    ids = ["lot7_a.png", "lot8_b.png"]
    assert by_pattern(ids, r"lot(\d)") == ("7", "8")
    assert by_pattern(ids, r"lot\d") == ("lot7", "lot8")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (None, "needs data.group_pattern"),
        ("(lot", "is not valid"),
        ("lot7", "does not match 1 of 2 ids, first 'lot8'"),
        ("lot(7)?", "does not match 1 of 2 ids, first 'lot8'"),
    ],
)
def test_bad_patterns_are_refused(pattern, message):
    with pytest.raises(UserError, match=message):
        by_pattern(["lot7", "lot8"], pattern)


def test_a_gap_starts_a_group_and_folders_are_apart():
    ids = ["a/1", "a/2", "a/3", "b/1", "4"]
    assert by_capture_time(ids, at(7, 0, 12.5, 1, 0), 5) == (
        "a@2026-01-02T10:00:07",
        "a@2026-01-02T10:00:00",
        "a@2026-01-02T10:00:12.500000",
        "b@2026-01-02T10:00:01",
        ".@2026-01-02T10:00:00",
    )
    assert set(by_capture_time(["1", "2", "3"], at(0, 5, 10), 5)) == {".@2026-01-02T10:00:00"}


def test_negative_bursts_are_refused():
    with pytest.raises(UserError, match="must not be negative"):
        by_capture_time(["1"], at(0), -1)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(0, 10), st.randoms())
def test_groups_are_the_bursts_in_any_file_order(seconds, burst, random):
    rows = list(zip([f"{i:02d}" for i in range(len(seconds))], at(*seconds), strict=True))
    groups = dict(
        zip([id for id, _ in rows], by_capture_time(*zip(*rows, strict=True), burst), strict=True)
    )
    ordered = sorted(rows, key=lambda row: row[1])
    for (a, before), (b, after) in pairwise(ordered):
        assert (groups[a] == groups[b]) == (after - before <= timedelta(seconds=burst))
    random.shuffle(rows)
    ids, times = zip(*rows, strict=True)
    assert by_capture_time(ids, times, burst) == tuple(groups[id] for id in ids)


def test_the_time_of_capture_is_what_exif_says(tmp_path):
    photograph(tmp_path / "a.jpg", "2026:01:02 12:30:00")
    photograph(tmp_path / "b.jpg", None)
    photograph(tmp_path / "c.jpg", "0000:00:00 00:00:00")
    (tmp_path / "d.jpg").write_bytes(b"no image")
    assert exif_time(tmp_path / "a.jpg") == datetime(2026, 1, 2, 12, 30)
    assert [exif_time(tmp_path / f"{name}.jpg") for name in "bcd"] == [None] * 3


def test_without_a_time_of_capture_the_files_stands_in_and_it_is_said(tmp_path):
    photograph(tmp_path / "a.jpg", "2026:01:02 10:00:00")
    cfg = DataConfig(kind="folder", root=str(tmp_path), group_by="capture_time")
    assert build(cfg).notice is None
    photograph(tmp_path / "b.jpg", None, START + timedelta(seconds=4))
    photograph(tmp_path / "c.jpg", None, START + timedelta(minutes=4))
    manifest = build(cfg)
    assert manifest.groups == (".@2026-01-02T10:00:00",) * 2 + (".@2026-01-02T10:04:00",)
    assert "2 of 3 images say no time of capture (EXIF)" in manifest.notice
    assert "(2 groups in all)" in manifest.notice and "cp -a" in manifest.notice


def test_bursts_from_files(tmp_path):
    photograph(tmp_path / "p" / "1.jpg", "2026:01:02 10:00:00")
    photograph(tmp_path / "p" / "2.jpg", "2026:01:02 10:00:04")
    photograph(tmp_path / "p" / "3.jpg", "2026:01:02 10:01:00")
    manifest = build(DataConfig(kind="folder", root=str(tmp_path), group_by="capture_time"))
    assert manifest.groups == ("p@2026-01-02T10:00:00",) * 2 + ("p@2026-01-02T10:01:00",)
