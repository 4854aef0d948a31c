from dataclasses import replace

import numpy as np
import pytest

from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.threshold.cutoffs import NotEnoughDefects, just_above, overkill_threshold
from alvision.deploy.threshold.good_parts import still_needed
from alvision.deploy.threshold.look_log import SealUse, about_good, read
from alvision.deploy.threshold.plan import ThresholdRequest
from alvision.deploy.threshold.set_threshold import set_threshold
from tests.support import grey

ASKED = ThresholdRequest(escape=0.1, confidence=0.9, overkill=0.1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a run on 120 parts of each class, and the bundle that tells them apart."""
    imported = pytest.importorskip("onnx")
    assert imported
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALVISION_CACHE", str(folder / "cache"))
        run, labelled, config = grey.shop(folder, 120)
        yield grey.write(folder / "b", 0.6, run), labelled, config, run


@pytest.fixture
def fresh(shop):
    """Return the shop as it was before the sealed images were used."""
    bundle, labelled, config, run = shop
    logs = [*run.glob("seal_readings.jsonl"), *run.parent.rglob("*seal_readings.jsonl")]
    for log in {*logs}:
        log.unlink(missing_ok=True)
    (bundle.folder / "thresholds.json").unlink(missing_ok=True)
    return bundle, labelled, config


def without_defects(labelled):
    held_out = {id: label for id, label in labelled.held_out.items() if label == "ok"}
    return replace(labelled, held_out=held_out)


def test_good_parts_are_promised_about_where_no_defect_is_sealed(fresh):
    bundle, labelled, config = fresh
    only_good = without_defects(labelled)
    with pytest.raises(NotEnoughDefects, match=r"there are 0.*overkill=0\.05"):
        set_threshold(bundle, only_good, config, replace(ASKED, overkill=None))
    found = set_threshold(bundle, only_good, config, ASKED)
    assert found.of_good and found.escape == 1.0 and not found.defects
    assert len(found.overkilled) <= 0.1 * found.good
    assert found.promise.startswith("Stops at most 10 of 100 good parts, 90 % sure; how many bad")
    assert "22 more" in still_needed(bundle, only_good, config, ASKED)
    assert open_bundle(bundle.folder).thresholds.of_good
    assert set_threshold(bundle, only_good, config, ASKED) == found  # the same use costs nothing


def test_the_same_bundle_is_promised_again_when_defects_arrive(fresh):
    bundle, labelled, config = fresh
    set_threshold(bundle, without_defects(labelled), config, ASKED)
    both = set_threshold(bundle, labelled, config, replace(ASKED, overkill=None))
    assert not both.of_good and both.reading == 2
    # The defects are new evidence: no model was scored on them.
    assert both.spent_confidence == pytest.approx(0.9)
    assert both.escape == 0.1 and both.overkill.at_most < 1


def test_a_promise_about_good_parts_tells_what_the_sealed_defects_show(fresh):
    bundle, labelled, config = fresh
    found = set_threshold(bundle, labelled, config, ASKED)
    assert 0 < found.escape < 1 and found.defects == found.independent_defects
    assert "of 100 bad ones pass, 90 % sure" in found.promise
    # Another list of sealed images is another use, which has to prove more.
    wider = replace(ASKED, overkill=0.2)
    again = set_threshold(bundle, without_defects(labelled), config, wider)
    assert again.reading == 2 and again.spent_confidence == pytest.approx(0.95)
    assert len(read(next(iter(bundle.folder.parent.rglob("seal_readings.jsonl"))))) == 2


def test_too_few_good_parts_are_counted(fresh):
    bundle, labelled, config = fresh
    with pytest.raises(UserError, match=r"needs 2302 independent sealed good parts.*more; the bes"):
        set_threshold(bundle, labelled, config, replace(ASKED, overkill=0.001))


def test_few_of_the_good_parts_to_come_are_stopped():
    rng, broken, times = np.random.default_rng(0), 0, 400
    for _ in range(times):
        scores = rng.random(120)
        low = just_above(overkill_threshold(scores, overkill=0.05, confidence=0.9), slack=0.0)
        broken += 1 - low > 0.05  # the share of uniform scores that are stopped
    assert 0.05 < broken / times < 0.13


def test_good_parts_and_defects_changed_over_twice_are_as_they_were():
    use = SealUse("m", "q", {"a": "1"}, 0.05, {"b": "2"})
    assert about_good(about_good(use)) == use and about_good(use).defects == {"b": "2"}
    assert about_good(about_good(use)).good == use.good
    assert about_good(replace(use, good=None)).good is None
