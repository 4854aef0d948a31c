import re
import shutil
from dataclasses import replace

import pytest

from alvision.cli import main
from alvision.config.compose import compose
from alvision.core.rounds import claim
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.threshold.look_log import read
from alvision.deploy.threshold.plan import ThresholdRequest
from alvision.reporting.shop.facts import Outlook, collect, headline
from alvision.run_folder.experiment_file import describe_run
from tests.support import grey
from tests.support.parts import imported

imported("onnxruntime")
imported("onnx")

REQUEST = ThresholdRequest(escape=0.1, confidence=0.95)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a run on shades with some 35 sealed defects: folder, labelled data, configuration."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALVISION_CACHE", str(folder / "cache"))
        yield grey.shop(folder, 140)


@pytest.fixture
def bundle(shop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (shop[0] / "seal_readings.jsonl").unlink(missing_ok=True)
    return grey.write(tmp_path / "b", 0.62, shop[0])


def page(bundle, capsys):
    assert main(["report", f"bundle={bundle.folder}", "escape=0.01"]) == 0
    assert "report: " in capsys.readouterr().out
    text = (bundle.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', text) and "http" not in text
    return " ".join(text.split())


def test_without_a_promise_it_says_what_could_be_promised(bundle, shop, capsys):
    text = page(bundle, capsys)
    found = collect(
        bundle, shop[1], shop[2], ThresholdRequest(escape=0.01, confidence=0.95)
    ).outlook.found
    assert f"photograph {299 - found} more bad parts" in text
    assert f"{299 - found} more, for the promise" in text
    assert "No threshold is set yet, so parts are stopped from one half on" in text
    assert text.count("data:image/jpeg") > 24
    assert read(shop[0] / "seal_readings.jsonl") == []


def test_with_a_promise_it_shows_what_slips_through_without_another_look(bundle, shop, capsys):
    assert main(["threshold", f"bundle={bundle.folder}", "escape=0.2"]) == 0
    limits = open_bundle(bundle.folder).thresholds
    assert limits.escaped and not limits.overkilled
    looks = read(shop[0] / "seal_readings.jsonl")
    text = page(open_bundle(bundle.folder), capsys)
    assert read(shop[0] / "seal_readings.jsonl") == looks and len(looks) == 1
    assert "Catches at least 80 of 100 bad parts, 95 % sure; sends about 0 of 100 good" in text
    assert f"{len(limits.escaped)} sealed ones" in text and "; 95 %: " in text
    escaped = {shop[1].data.hashes[id] for id in shop[1].split.seal} & set(limits.escaped)
    assert len(escaped) == len(limits.escaped)
    assert not [id for id in shop[1].split.seal if id in text], "no sealed image is shown"


def test_the_facts(bundle, shop):
    facts = collect(bundle, shop[1], shop[2], REQUEST)
    scores = [one.decision.defect_score for one in facts.monitor]
    assert scores == sorted(scores) and len(scores) > 40
    slipped = facts.slipped(["ok"])
    assert slipped and all(one.label == "worn" for one in slipped) and not facts.stopped(["ok"])
    worn = next(row for row in facts.classes if row.name == "worn")
    assert worn.defect and worn.missed == len(slipped) and worn.taken_for == "ok"
    assert worn.trained + worn.monitor + worn.sealed == 140
    assert any(words.startswith(f"worn: {worn.missed} of {worn.monitor}") for words in facts.advice)


def test_a_class_that_is_newer_than_the_bundle_is_shown_as_a_defect(bundle, shop):
    _, labelled, config = shop
    torn = [id for id in labelled.monitor if labelled.held_out[id] == "ok"][:5]
    newer = replace(labelled, held_out={**labelled.held_out, **dict.fromkeys(torn, "torn")})
    grown = replace(config, classes=["ok", "torn", "worn"])
    facts = collect(bundle, newer, grown, REQUEST)
    row = facts.classes[-1]
    assert (row.name, row.defect, row.monitor, row.trained) == ("torn", True, 5, 0)
    assert {one.id for one in facts.slipped(bundle.good)} >= set(torn)


def test_classes_that_allow_no_promise_still_get_a_report(shop, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    own = grey.write(tmp_path / "n", 0.5, shop[0], defects=[])
    assert "No promise is possible: defects= names no class as a defect" in page(own, capsys)
    every = grey.write(tmp_path / "e", 0.5, shop[0], defects=["ok", "worn"])
    assert "No promise is possible: every class is a defect" in page(every, capsys)
    assert main(["report", "bundle=n", "colour=red"]) == 2
    assert "no option colour=" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outlook", "told"),
    [
        (Outlook(found=0, needed=149), "Nothing can be promised yet. To promise 98 of 100 bad pa"),
        (Outlook(found=12, needed=149, best=0.22), "catches 78 of 100 bad parts, 95 % sure. To pr"),
        (Outlook(found=150, needed=149), "Ready for a promise: catching 98 of 100 bad parts"),
    ],
)
def test_the_first_line(bundle, outlook, told):
    assert told in headline(bundle, outlook)


@pytest.mark.slow
def test_people_are_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    root = grey.shades(tmp_path / "flat", 20, 20)
    for path in list(root.rglob("*.png")):
        shutil.move(path, tmp_path / "flat" / f"{path.parent.name}-{path.name}")
    (root / "ok").rmdir(), (root / "worn").rmdir()
    names = sorted(path.name for path in root.iterdir())
    rows = [f"{name},{name.split('-')[0]},Ana" for name in names]
    rows += [
        f"{name},{'worn' if i < 2 else name.split('-')[0]},Ben" for i, name in enumerate(names)
    ]
    (tmp_path / "votes.csv").write_text("\n".join(["id,label,by", *rows]), encoding="utf-8")
    words = ["data.root=flat", "classes=[ok,worn]"]
    assert main(["labels", "import", *words, "from=votes.csv"]) == 0
    composed = compose([*words, "defects=[worn]", "oracle=files", "audit.share=0.5", "out=run"])
    described = describe_run(
        composed.config, composed.choices, "", classes=["ok", "worn"], anonymous=True
    )
    claim(tmp_path / "run", described)
    own = grey.write(tmp_path / "b", 0.5, "run")
    text = page(own, capsys)
    assert "40 pictures were labelled by several people: all of them agreed on 38 (95 %)" in text
