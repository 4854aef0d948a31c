"""The status of a watched line is plain data, read without a page."""

import json
import os
import shutil
import sys
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from alvision.data.hashes import file_hash
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.bundle.signature import SIGNATURE, signed
from alvision.deploy.bundle.thresholds import Thresholds, write_thresholds
from alvision.deploy.bundle.verdict import NO_NUMBERS
from alvision.reporting.watch import page
from alvision.watch import queue
from alvision.watch.line import Line, Setting, open_line
from alvision.watch.status import label_command, read_status
from tests.conftest import paint
from tests.support.bundles import make
from tests.support.parts import imported

imported("onnxruntime")
AT = datetime(2026, 3, 1, 12, 0)


@pytest.fixture
def line(shop):
    with open_line(Setting(shop.bundle, shop.inbox, shop.line, settle=0.0)) as line:
        yield line


def test_a_line_that_has_received_nothing(line):
    status = read_status(line, at=AT)
    assert status.counts == {} and status.newest == [] and status.drift_tests == []
    assert status.alarmed == [] and status.waiting == 0 and status.promise is None
    assert status.audit.passed == 0 and status.audit.at_most == 1.0
    assert len(status.statistics) == status.reference.values.shape[1]
    assert "was not tested against another one" in status.tested and status.tested in page(status)
    assert "0.04 in 100 passing images are drawn" in page(replace(status, share=0.0004))


def test_the_drift_tests_of_all_models_share_the_false_alarms_of_a_week(shop, tmp_path):
    shop.bundle = shutil.copytree(shop.bundle, tmp_path / "own")
    identity = open_bundle(shop.bundle).identity
    with open_line(Setting(shop.bundle, shop.inbox, shop.line, settle=0.0)) as line:
        tests = []
        for number, low in enumerate((0.4, 0.5, 0.6)):
            write_thresholds(shop.bundle, identity, Thresholds(low, low))
            shop.deliver(range(50 * number, 50 * number + 50))
            line.step()
            tests += line.records.drift_tests(line.judge.model)
    assert len({test.week for test in tests}) == 2 or [test.nth for test in tests] == [1, 2, 3]


def test_the_newest_images_come_first_and_broken_files_are_named(line, shop, monkeypatch):
    monkeypatch.setattr("alvision.watch.line.BROKEN_AFTER", 0)
    shop.deliver(range(4))
    shop.put("broken.png", b"no image")
    line.step()
    status = read_status(line, at=AT)
    assert sum(status.counts.values()) == 5
    assert [row.number for row in status.newest] == sorted(
        (row.number for row in status.newest), reverse=True
    )
    assert [row.name for row in status.broken] == ["broken.png"]
    assert status.at == AT and status.to == shop.line


def test_a_network_that_gives_no_numbers_passes_nothing(shop, tmp_path):
    onnx = imported("onnx")
    folder = shutil.copytree(shop.bundle, tmp_path / "nan")
    network = onnx.load(folder / "model.onnx")
    for weights in network.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype == np.float32:
            nan = onnx.numpy_helper.from_array(np.full_like(values, np.nan), weights.name)
            weights.CopyFrom(nan)
    onnx.save(network, folder / "model.onnx")
    about = json.loads((folder / "bundle.json").read_text())
    about["files"]["model.onnx"] = file_hash(folder / "model.onnx")
    del about[SIGNATURE]
    (folder / "bundle.json").write_text(json.dumps(signed(about)))
    shop.deliver(range(3))
    with open_line(Setting(folder, shop.inbox, shop.line, settle=0.0)) as line:
        assert line.step() == {"broken": 3}
        status = read_status(line, at=AT)
    assert {row.reason for row in status.broken} == {NO_NUMBERS}


def test_the_command_that_opens_the_queue(small_bundle, tmp_path):
    command = label_command(open_bundle(small_bundle), tmp_path)
    assert command == f'alvision label data.root={tmp_path} "classes=[ok,worn]" "defects=[worn]"'


def test_with_few_held_out_images_nothing_goes_to_new_and_the_page_says_so(tmp_path):
    few = make(tmp_path / "few", held_out=13)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for i in range(3):
        Image.effect_noise((32, 32), 200).convert("RGB").save(inbox / f"{i}.png")
    with open_line(Setting(few, inbox, tmp_path / "line", settle=0.0)) as line:
        counts = line.step()
        status = read_status(line, at=AT)
    assert sum(counts.values()) == 3 and "new" not in counts and not status.tells_novelty
    assert "13 held-out images, and 59 are needed" in " ".join(page(status).split())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_text_is_recorded_moved_queued_and_shown(shop, monkeypatch):
    paint(1, "ok").save(shop.inbox / os.fsdecode(b"caf\xe9.png"))
    setting = Setting(shop.bundle, shop.inbox, shop.line, settle=0.0, audit=1.0)
    with open_line(setting) as line:
        with monkeypatch.context() as patch:
            patch.setattr(Line, "_move", lambda line, rows: None)  # killed before it is moved
            line.step()
        assert line.finish_moves() == 1
        queue.fill(line.records, shop.line, batch=9, today=AT.date())
        (row,) = line.records.rows("1")
        assert (row.name, row.state) == (r"caf\udce9.png", "moved")
        assert (shop.line / row.file).exists() and (shop.line / "queue" / row.queue).exists()
        assert r"caf\udce9.png" in page(read_status(line, at=AT))
    assert list(shop.inbox.glob("*.png")) == []
