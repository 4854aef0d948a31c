"""A watched line: every image has one row and one place, and changes are noticed."""

import os
import shutil
import time

import numpy as np
import pytest
from PIL import Image, ImageFilter
from sklearn.metrics import roc_auc_score

from alvision.cli import main
from alvision.data.hashes import file_hash
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.bundle.thresholds import Thresholds, write_thresholds
from alvision.deploy.threshold.binomial import percent_up
from alvision.watch.inbox import Inbox, copy_whole, move
from alvision.watch.unseen import bad_at_most
from tests.conftest import paint

LIMITS = Thresholds(low=1e-9, high=1.0, escape=0.02, confidence=0.95)


def test_a_file_waits_until_it_lies_still(tmp_path):
    inbox = Inbox(tmp_path, settle=0.05)
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / "b.txt").write_bytes(b"1")
    (tmp_path / ".c.png").write_bytes(b"1")
    future = time.time() + 1000  # a camera whose clock is ahead
    os.utime(tmp_path / "a.png", (future, future))
    assert inbox.scan() == [] and inbox.arriving == 1
    (tmp_path / "a.png").write_bytes(b"12")
    os.utime(tmp_path / "a.png", (future, future))
    assert inbox.scan() == [] and inbox.arriving == 1
    time.sleep(0.06)
    assert [one.name for one in inbox.scan()] == ["a.png"] and inbox.arriving == 0


def test_a_half_file_with_the_time_of_its_original_waits_too(tmp_path):
    inbox, path = Inbox(tmp_path, settle=0.2), tmp_path / "a.png"
    with path.open("wb") as file:
        for _ in range(4):  # a copier that sets the time first, into a file of its final size
            file.seek(0)
            file.write(b"1" * 60)
            file.flush()
            os.utime(path, (1.7e9, 1.7e9))
            assert inbox.scan() == [] and inbox.arriving == 1
            time.sleep(0.06)
    time.sleep(0.2)
    assert [one.name for one in inbox.scan()] == ["a.png"]


@pytest.mark.slow
def test_a_file_that_does_not_decode_waits_by_our_own_clock_from_run_to_run(
    shop, monkeypatch, capsys
):
    monkeypatch.setattr("alvision.watch.line.BROKEN_AFTER", 0.6)
    half = shop.put("half.png", b"no image")
    for _ in range(2):
        assert shop.watch() == 0
        assert "1 file still being written, or not whole yet" in capsys.readouterr().out
        half.write_bytes(b"no image, going on")  # by a writer that pauses
        os.utime(half, (1.7e9, 1.7e9))
        time.sleep(0.7)
    assert shop.watch() == 0 and shop.rows() == []
    time.sleep(0.7)
    assert shop.watch() == 0
    assert [(row.name, row.folder) for row in shop.rows()] == [("half.png", "broken")]


def test_a_move_never_overwrites_and_may_be_repeated(tmp_path):
    source, target = tmp_path / "a", tmp_path / "x" / "b"
    source.write_bytes(b"1")
    move(source, target, file_hash(source))
    assert target.read_bytes() == b"1" and not source.exists()
    source.write_bytes(b"1")  # killed between the copy and the removal, across file systems
    move(source, target, file_hash(source))
    assert target.read_bytes() == b"1" and not source.exists()
    source.write_bytes(b"2")
    with pytest.raises(FileExistsError):
        move(source, target, file_hash(source))
    assert (source.read_bytes(), target.read_bytes()) == (b"2", b"1")


def test_a_copy_that_fails_leaves_no_part(tmp_path):
    with pytest.raises(OSError):
        copy_whole(tmp_path, tmp_path / "x" / "b")
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.slow
def test_images_go_where_they_belong_once(shop, capsys, monkeypatch):
    shop.put("broken.png", b"no image")
    assert shop.watch("audit=1") == 0 and shop.rows() == []
    monkeypatch.setattr("alvision.watch.line.BROKEN_AFTER", 3.0)
    time.sleep(3.0)
    shop.deliver(range(60))
    shop.put("deep/00001.png", paint(7, "ok"))
    shop.put("strange.png", Image.effect_noise((32, 32), 200).convert("RGB"))
    shop.put("fresh.png", b"unfinished")  # may still be written
    shop.put("notes.txt", b"no image at all")
    capsys.readouterr()
    assert shop.watch("audit=1") == 0
    told = capsys.readouterr().out
    assert "1 file still being written" in told and "63 images:" in told
    rows = shop.rows()
    assert len(rows) == 63 and {row.state for row in rows} == {"moved"}
    assert shop.files() == sorted(row.file for row in rows)
    assert {p.name for p in shop.inbox.iterdir() if p.is_file()} >= {"fresh.png", "notes.txt"}
    broken = [row for row in rows if row.folder == "broken"]
    assert [(row.name, row.reason) for row in broken] == [("broken.png", "not an image")]
    assert next(row for row in rows if row.name == "strange.png").folder == "new"
    judged = [row for row in rows if row.name[:5].isdigit() and row.folder in ("pass", "reject")]
    right = [(row.folder == "reject") == (int(row.name[:5]) % 4 == 0) for row in judged]
    assert len(judged) > 50 and np.mean(right) > 0.95
    audited = [row for row in rows if row.audit]
    assert {row.folder for row in audited} == {"pass"}
    assert len(audited) == sum(row.folder == "pass" for row in rows)
    page = (shop.line / "status.html").read_text(encoding="utf-8")
    assert "Nothing is proven yet" in page and "no threshold" in page and "not an image" in page


@pytest.mark.slow
def test_the_same_again_a_name_again_and_bytes_again(shop):
    shop.deliver([1])
    assert shop.watch() == 0
    shop.deliver([1])  # delivered once more
    shop.put("copy.png", paint(1, "ok"))  # the same bytes under another name: another image
    assert shop.watch() == 0
    assert len(shop.rows()) == 2
    shop.put("00001.png", paint(2, "ok"))  # the camera began to count anew
    assert shop.watch() == 0
    rows = shop.rows()
    assert len(rows) == len({row.file for row in rows}) == 3
    assert shop.files() == sorted(row.file for row in rows)
    assert all(file_hash(shop.line / row.file) == row.sha256 for row in rows)
    (shop.line / rows[0].file).unlink()  # somebody took it; a new delivery is not lost
    shop.deliver([1])
    assert shop.watch() == 0
    assert len(shop.rows()) == 3 and (shop.line / rows[0].file).exists()


@pytest.mark.slow
def test_a_threshold_gives_a_human_band_and_is_taken_up_at_once(shop, tmp_path):
    shop.bundle = shutil.copytree(shop.bundle, tmp_path / "own")
    shop.deliver(range(20))
    assert shop.watch() == 0
    first = {row.model for row in shop.rows()}
    write_thresholds(shop.bundle, open_bundle(shop.bundle).identity, LIMITS)
    shop.deliver(range(20, 40))
    assert shop.watch("batch=5") == 0
    later = shop.rows("number > 20")
    assert first.isdisjoint(row.model for row in later)
    assert sum(row.folder == "human" for row in later) > 15
    assert sum(row.queue is not None for row in shop.rows() if not row.audit) == 5
    assert "Catches at least 98" in (shop.line / "status.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda image: image.point(lambda value: value + 25), "brightness higher"),
        (lambda image: image.filter(ImageFilter.GaussianBlur(0.7)), "sharpness lower"),
    ],
    ids=["brightness", "blur"],
)
def test_drift_is_noticed_and_shown_and_an_undisturbed_line_is_left_in_peace(
    shop, capsys, change, named
):
    shop.deliver(range(300))
    assert shop.watch() == 0
    assert "and the line is as it was" in (shop.line / "status.html").read_text(encoding="utf-8")
    shop.deliver(range(300, 400), change)
    capsys.readouterr()
    assert shop.watch() == 1
    assert capsys.readouterr().out.count("warning: the line has changed") == 1
    page = (shop.line / "status.html").read_text(encoding="utf-8")
    assert "The line has changed" in page and named in page
    assert page.count("data:image/jpeg") > 60
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


@pytest.mark.slow
def test_answers_in_the_table_bound_what_passed(shop, capsys):
    shop.deliver(range(40))
    assert shop.watch("audit=0.5") == 0
    (sheet,) = shop.line.glob("queue-*.csv")
    names = [line.split(",")[0] for line in sheet.read_text(encoding="utf-8").splitlines()[1:]]
    rows = "".join(f"{name},ok\n" for name in names)
    sheet.write_text(f"id,label\n{rows}", encoding="utf-8")
    queue, classes = f"data.root={shop.line / 'queue'}", "classes=[ok,worn]"
    assert main(["labels", "import", queue, f"from={sheet}", classes]) == 0
    capsys.readouterr()
    assert shop.watch("audit=0.5") == 0
    drawn = shop.rows("audit")
    covered = len(shop.rows(f"folder = 'pass' AND number <= {drawn[-1].number}"))
    limit = percent_up(bad_at_most(0, 0.5, confidence=0.95) / covered)
    assert 5 < len(drawn) < 35
    told = f"at most {limit} are bad, 95 % sure however often you look: people checked {len(drawn)}"
    assert told in capsys.readouterr().out
    assert "0 images in the queue without a label" in (shop.line / "status.html").read_text("utf-8")


@pytest.mark.slow
def test_a_defect_that_was_left_out_is_ranked_as_novel(shop):
    def spotted(i):
        image = paint(i, "ok")
        spot = Image.new("RGB", (9, 9), (250, 235, 160))
        image.paste(spot, (4 + i % 18, 5 + i % 16))
        return image

    shop.deliver(range(100))
    for i in range(100, 140):
        shop.put(f"spot-{i}.png", spotted(i))
    shop.watch()
    rows = shop.rows("novelty IS NOT NULL")
    left_out = [row.name.startswith("spot") for row in rows]
    assert roc_auc_score(left_out, [row.novelty for row in rows]) >= 0.8
