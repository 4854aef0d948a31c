"""A pool is scanned by the command, killed, and scanned on."""

import os
import signal
import subprocess
import sys
import time

import pytest

from alvision.cli import main
from alvision.data.storage.stored_path import place as place_of
from alvision.inference.shards import scanned
from tests.conftest import paint
from tests.support.object_store import serving
from tests.support.parts import imported

pytestmark = pytest.mark.slow
ROWS = 16


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Make a run, and a pool of 96 parts of which two cannot be read."""
    place = tmp_path_factory.mktemp("scan")
    for seed in range(96):
        label = ("ok", "worn")[seed % 2]
        (place / "pool" / label).mkdir(parents=True, exist_ok=True)
        paint(seed, label).save(place / "pool" / label / f"{seed:02d}.png")
    words = ["data.image.size=32", "budget.initial=6", "budget.rounds=0"]
    pool = f"data.root={place / 'pool'}"
    assert main(["run", "data=class_folders", pool, f"out={place / 'run'}", *words]) == 0
    assert main(["manifest", f"root={place / 'pool'}", f"to={place / 'pool.parquet'}"]) == 0
    (place / "pool/ok/10.png").write_bytes(b"no image")
    (place / "pool/worn/11.png").unlink()
    return place


def words(place, to):
    pool, out = f"pool={place / 'pool.parquet'}", f"out={place / 'run'}"
    return ["scan", pool, out, f"to={to}", f"rows={ROWS}"]


def contents(to):
    return {path.name.split(".")[0]: path.read_bytes() for path in to.glob("shard-*.parquet")}


def test_a_scan_has_every_row_once_and_a_killed_one_ends_with_the_same_bytes(
    place, tmp_path, capsys
):
    assert main(words(place, tmp_path / "whole")) == 1
    assert "96 images" in (said := capsys.readouterr().out)
    assert "94 ok, 2 unreadable now" in said
    rows = [row for table in scanned(tmp_path / "whole") for row in table.to_pylist()]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    bad = {row["id"]: row["error"] for row in rows if row["status"] != "ok"}
    assert bad == {"ok/10.png": "not an image", "worn/11.png": "file is missing"}
    assert all(abs(sum(row["probabilities"]) - 1) < 1e-5 for row in rows if row["id"] not in bad)

    command = [sys.executable, "-m", "alvision", *words(place, tmp_path / "killed")]
    process = subprocess.Popen(command, env=dict(os.environ))
    while len(contents(tmp_path / "killed")) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = contents(tmp_path / "killed")
    assert main(words(place, tmp_path / "killed")) in (0, 1)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert len(list((tmp_path / "killed").glob("shard-*.parquet"))) == 96 // ROWS
    assert before.items() <= contents(tmp_path / "killed").items()
    capsys.readouterr()
    assert main(words(place, tmp_path / "killed")) == 0
    assert "none now, 96 before" in capsys.readouterr().out


def test_a_server_that_fails_now_and_then_costs_retries_and_changes_no_byte(
    place, tmp_path, monkeypatch
):
    imported("obstore")
    folder = place / "pool"
    local, stored = tmp_path / "local.parquet", tmp_path / "stored.parquet"
    assert main(["manifest", f"root={folder}", f"to={local}"]) == 0
    assert main([*words(place, tmp_path / "local")[:1], f"pool={local}",
                 *words(place, tmp_path / "local")[2:]]) == 1  # fmt: skip
    with serving(monkeypatch) as store:
        for file in folder.rglob("*.png"):
            key = f"parts/{file.relative_to(folder).as_posix()}"
            store.objects[key] = file.read_bytes()
        assert main(["manifest", "root=s3://pool/parts", f"to={stored}"]) == 0
        failed = []

        def trouble(number, key):
            kind = "503" if number % 20 == 0 else "cut" if number % 33 == 0 else None
            failed.extend([kind] if kind else [])
            return kind

        store.trouble = trouble
        command = words(place, "s3://pool/scan")
        assert main([command[0], f"pool={stored}", *command[2:]]) == 1
        assert len(failed) > 5
        store.trouble = lambda number, key: None
        results = [store.objects[key] for key in sorted(store.objects) if "/shard-" in key]
        assert results == [contents(tmp_path / "local")[name]
                           for name in sorted(contents(tmp_path / "local"))]  # fmt: skip
        rows = [row for table in scanned(place_of("s3://pool/scan")) for row in table.to_pylist()]
        assert [row["id"] for row in rows if row["status"] != "ok"] == ["ok/10.png"]


def test_a_pool_or_a_model_that_is_not_there_is_one_line(place, tmp_path, capsys):
    assert main(["scan", "pool=none.parquet", f"out={place / 'run'}", "to=x"]) == 2
    assert "pool=none.parquet is no file" in capsys.readouterr().err
    pool = f"pool={place / 'pool.parquet'}"
    assert main(["scan", pool, f"out={tmp_path}", "to=x"]) == 2
    assert "has no model yet" in capsys.readouterr().err
