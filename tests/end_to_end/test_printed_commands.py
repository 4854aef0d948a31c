"""Every command that the product prints runs as it was printed, from labels to a promise."""

import re
import shlex
import shutil
from dataclasses import replace

import pytest

from alvision.cli import main
from alvision.cli.label import next_command
from alvision.config.compose import configuration
from alvision.dataset.dataset import DataSet, open_label_store
from alvision.labels.groups import GroupRule
from tests.conftest import paint
from tests.integration.conftest import TINY
from tests.support.parts import imported
from tests.unit.labels.conftest import event

pytestmark = pytest.mark.slow

COMMAND = re.compile(r"alvision (?:train|export|threshold|report|labels|check|promote)\b[^;\n]*")
NETWORK = [word for word in TINY if not word.startswith(("budget", "cold_start"))]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Return a folder of photographs that somebody labelled on the page, classes and all."""
    imported("onnxruntime")
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "my photos"
    photos.mkdir()
    config = configuration(["data.root='my photos'", "oracle=page", "data=folder"])
    events = [
        event("c0", "", "add", "ok"),
        event("c1", "", "add", "worn", note="defect"),
        GroupRule("pattern", r"^(.*)_\d\.png$").event("anna", "g"),
    ]
    for number in range(40):
        label = "worn" if number % 2 else "ok"
        for view in range(2):
            id = f"{label[0]}{number:02d}_{view}.png"
            paint(10 * number + view, label).save(photos / id)
            events.append(event(id, id, label=label))
    data = DataSet.open(config)
    with data.label_store() as store:
        store.append(events, hash_of=data.hashes.get)
    return photos


def printed(text: str) -> list[str]:
    """Return the commands in what a command printed."""
    return [found.strip().rstrip(".") for found in COMMAND.findall(text)]


def follow(command: str, capsys) -> tuple[int, str]:
    """Run a command as it was printed; return its status and all that it printed."""
    program, *words = shlex.split(command)
    assert program == "alvision"
    status = main(words)
    told = capsys.readouterr()
    return status, told.out + told.err


def test_from_labels_on_the_page_to_a_promise(shop, capsys):
    status, told = follow(f'alvision train "data.root=my photos" {" ".join(NETWORK)}', capsys)
    assert status == 0, told
    assert "ok" in told and "worn" in told
    (export,) = printed(told)
    status, told = follow(export, capsys)
    assert status == 0, told
    (threshold,) = printed(told)
    status, told = follow(threshold, capsys)
    assert status == 2 and "needs 149 independent held-out defects" in told
    (bring,) = printed(told)
    (shop / "drawer").mkdir()
    for number in range(80):
        paint(5000 + number, "worn").save(shop / "drawer" / f"{number:03d}_0.png")
    rows = [f"drawer/{number:03d}_0.png,worn" for number in range(80)]
    (shop.parent / "drawer.csv").write_text("\n".join(["id,label", *rows]), encoding="utf-8")
    status, told = follow(bring, capsys)
    assert status == 0 and "80 added" in told, told
    status, told = follow(f"{threshold} escape=0.1", capsys)
    assert status == 0 and told.startswith("Catches at least 90 of 100 bad parts"), told
    (report,) = printed(told)
    status, told = follow(report, capsys)
    assert status == 0, told
    status, told = follow('alvision check "data.root=my photos" data=folder', capsys)
    assert status == 0 and "no class is known" not in " ".join(told.split()), told
    shutil.rmtree("my photos.alvision")
    _, told = follow('alvision check "data.root=my photos" data=folder', capsys)
    assert "no class is known" in " ".join(told.split()), "the labels were people's"


def test_the_command_after_labelling_trains_in_the_run_that_labelled(shop, capsys):
    words = ["data.root='my photos'", "oracle=files", *TINY, "budget.initial=2"]
    assert main(["run", *words]) == 0
    capsys.readouterr()
    config = configuration(words)
    with open_label_store(config) as store:
        command = next_command(shop.parent / str(config.out), store)
        assert command is not None
        assert next_command(shop.parent / "elsewhere", store) is None
    status, told = follow(command, capsys)
    assert status == 0 and len(printed(told)) == 1, told
    data = DataSet.open(replace(config, classes=["ok", "worn"]))
    assert len(set(data.groups)) == 80, "without what was settled on the page"
    words = " ".join([*TINY, "budget.initial=2"])
    status, told = follow(f'alvision train "data.root=my photos" {words}', capsys)
    assert status == 0, f"the same run, though nobody says who answers: {told}"
