"""A watched line in trouble: bad input, signals, kills, a full disk."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from alvision.cli import main
from alvision.data.hashes import file_hash
from alvision.watch.records import FILE
from tests.conftest import paint


def one_line(capsys):
    told = capsys.readouterr().err
    assert told.startswith("alvision: ") and told.count("\n") == 1, told
    return told


@pytest.mark.slow
def test_bad_input_is_one_line_and_nothing_is_written(shop, tmp_path, capsys):
    shop.deliver(range(2))
    bundle, inbox, line = shop.words()[1:]

    def refused(*words):
        assert main(["watch", *words]) == 2
        assert not shop.line.exists()
        assert len(list(shop.inbox.iterdir())) == 2
        return one_line(capsys)

    assert "is no bundle" in refused(f"bundle={tmp_path}", inbox, line)
    assert "is not a folder" in refused(bundle, "images=nowhere", line)
    assert "images= is inside to=" in refused(bundle, inbox, f"to={tmp_path}")
    assert "to= is inside images=" in refused(bundle, inbox, f"to={shop.inbox / 'x'}")
    assert "to= is missing: alvision watch" in refused(bundle, inbox)
    assert "no option colour= (colour=red)" in refused(bundle, inbox, line, "colour=red")
    assert "audit=2 must be" in refused(bundle, inbox, line, "audit=2")
    changed = shutil.copytree(shop.bundle, tmp_path / "changed")
    (changed / "usual.npz").write_bytes((changed / "usual.npz").read_bytes()[:-1] + b"!")
    assert "its bytes have changed" in refused(f"bundle={changed}", inbox, line)
    shop.line.mkdir()
    (shop.line / FILE).write_bytes(b"no database" * 100)
    assert main(shop.words("once=true")) == 2
    assert "watch.db is damaged" in one_line(capsys)
    assert sorted(p.name for p in shop.line.iterdir() if p.suffix != ".lock") == [FILE]


@pytest.mark.slow
def test_two_watchers_do_not_share_a_folder(shop, tmp_path, capsys):
    from alvision.watch.line import Setting, open_line

    with open_line(Setting(shop.bundle, shop.inbox, shop.line)):
        assert main(shop.words("once=true")) == 2
        assert "is watched by another process" in one_line(capsys)
        other = [f"bundle={shop.bundle}", f"images={shop.inbox}", f"to={tmp_path / 'other'}"]
        assert main(["watch", *other]) == 2
        assert "images=" in one_line(capsys)


@pytest.mark.slow
def test_a_drive_without_locks_is_one_line(shop, monkeypatch, capsys):
    def refuse(self, **how):
        raise NotImplementedError("no flock here")

    shop.deliver(range(2))
    monkeypatch.setattr("alvision.watch.line.FileLock.acquire", refuse)
    assert main(shop.words("once=true")) == 2
    assert "cannot be locked for this process alone (no flock here)" in one_line(capsys)
    assert len(list(shop.inbox.iterdir())) == 2


def start(shop, *more):
    command = [sys.executable, "-W", "ignore", "-m", "alvision", *shop.words("settle=0.2", *more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(shop, sent):
    shop.deliver(range(40))
    with start(shop) as process:
        deadline = time.monotonic() + 120
        while len(list(shop.inbox.glob("*.png"))) > 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(sent)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in err and "alvision:" not in err
    assert "stopped; the same command goes on" in out and "40 images:" in out
    assert {row.state for row in shop.rows()} == {"moved"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small file system")
def test_a_full_disk_is_one_line_and_loses_nothing(shop):
    shop.deliver(range(200))
    before = {file_hash(path) for path in shop.inbox.iterdir()}
    shop.line.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(shop.line)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system of a few kilobytes")
    try:
        process = start(shop, "once=true")
        _, err = process.communicate(timeout=300)
        assert process.returncode == 2
        told = [line for line in err.splitlines() if line.startswith("alvision:")]
        assert len(told) == 1 and "the disk is full" in told[0] and "nothing is lost" in told[0]
        assert "Traceback" not in err
        assert shop.files() and list(shop.inbox.glob("*.png"))
        held = {file_hash(path) for path in shop.inbox.glob("*.png")}
        assert held | {file_hash(shop.line / file) for file in shop.files()} == before
        subprocess.run(["mount", "-o", "remount,size=64m", str(shop.line)], check=True)
        assert shop.watch() == 0
        rows = shop.rows()
        assert {file_hash(shop.line / row.file) for row in rows} == before
        assert len(rows) == 200 and shop.files() == sorted(row.file for row in rows)
    finally:
        subprocess.run(["umount", str(shop.line)], check=True)


@pytest.mark.slow
def test_what_was_taken_away_or_replaced_before_it_was_moved(shop, monkeypatch):
    from alvision.watch.line import Line

    def die(line, rows):
        if rows:
            raise KeyboardInterrupt

    shop.deliver(range(4))
    with monkeypatch.context() as patch:
        patch.setattr(Line, "_move", die)
        assert shop.watch() == 0
    assert {row.state for row in shop.rows()} == {"moving"} and shop.files() == []
    (shop.inbox / "00001.png").unlink()
    shop.put("00002.png", paint(77, "ok"))
    (shop.line / shop.rows()[3].file).parent.mkdir(exist_ok=True)
    (shop.inbox / "00003.png").rename(shop.line / shop.rows()[3].file)
    assert shop.watch() == 0
    rows = shop.rows()
    assert [row.state for row in rows] == ["moved", "gone", "gone", "moved", "moved"]
    assert rows[4].name == "00002.png" and rows[4].sha256 != rows[2].sha256
    assert shop.files() == sorted(row.file for row in rows if row.state == "moved")


@pytest.mark.slow
def test_a_queue_that_was_begun_is_finished(shop, monkeypatch):
    from alvision.watch import queue

    def die(records, to):
        if records.count("queue IS NOT NULL"):
            raise KeyboardInterrupt

    shop.deliver(range(20))
    with monkeypatch.context() as patch:
        patch.setattr(queue, "finish", die)
        with pytest.raises(KeyboardInterrupt):  # a second one, while the last page is written
            from alvision.cli.watch import watch

            watch(shop.words("once=true", "settle=0.1", "audit=1")[1:])
    assert any(row.queue for row in shop.rows()) and not (shop.line / "queue").exists()
    assert shop.watch("audit=1") == 0
    queued = {row.queue for row in shop.rows("audit OR folder = 'new'")}
    assert {path.name for path in (shop.line / "queue").iterdir()} == queued
    (sheet,) = shop.line.glob("queue-*.csv")
    assert len(sheet.read_text(encoding="utf-8-sig").splitlines()) == 1 + len(queued)
