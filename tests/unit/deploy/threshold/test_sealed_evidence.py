"""What counts as evidence in the seal: whose label, which copy, and what was corrected since."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from alvision.config.compose import compose
from alvision.data.images import load
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.threshold.cutoffs import NotEnoughDefects
from alvision.deploy.threshold.look_log import read
from alvision.deploy.threshold.plan import ThresholdRequest, log_files, plan
from alvision.deploy.threshold.set_threshold import set_threshold
from alvision.deploy.train.labelled_data import import_truth, load_labelled
from alvision.evaluation.probabilities import ClassProbabilities
from tests.support import grey
from tests.support.parts import imported

imported("onnxruntime")
imported("onnx")

REQUEST = ThresholdRequest(escape=0.1, confidence=0.95)


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    """Return a run on shades with some 37 sealed defects: folder, labelled data, configuration."""
    folder = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALVISION_CACHE", str(folder / "cache"))
        run, labelled, config = grey.shop(folder, 150)
        assert labelled.data.hashes
        yield run, labelled, config


@pytest.fixture
def run(shades):
    for log in log_files(*shades[1:]):
        log.unlink(missing_ok=True)
    return shades


def sealed(labelled, label):
    return [id for id in labelled.split.seal if labelled.held_out.get(id) == label]


def relabelled(labelled, changes):
    return replace(labelled, held_out={**labelled.held_out, **changes})


def score(bundle, labelled, id):
    pixels = load(labelled.data.manifest.path(id), bundle.spec)
    return float(bundle.defect_scores(bundle.run(pixels[None]).logits)[0])


def passing(bundle, labelled, label, low):
    return [id for id in sealed(labelled, label) if score(bundle, labelled, id) < low]


def test_corrected_labels_are_another_question_and_count_as_defects(run, tmp_path):
    folder, labelled, config = run
    bundle = grey.write(tmp_path / "b", 0.5, folder)
    first = set_threshold(bundle, labelled, config, REQUEST)
    changed = relabelled(labelled, dict.fromkeys(sealed(labelled, "ok")[:20], "worn"))
    again = set_threshold(bundle, changed, config, REQUEST)
    assert again.reading == 2 and again.spent_confidence == 0.975 and again.low < first.low
    assert again.defects == first.defects + 20
    assert len(again.escaped) == len(passing(bundle, changed, "worn", again.low)) <= 1


def test_parts_that_were_stopped_and_then_corrected_prove_nothing(run, tmp_path):
    """People who correct only what the model stops would add defects that it catches."""
    folder, labelled, config = run
    bundle = grey.write(tmp_path / "b", 0.5, folder)
    request = ThresholdRequest(escape=0.2, confidence=0.95)
    darkest = sorted(sealed(labelled, "worn"), key=lambda id: score(bundle, labelled, id))[:17]
    bright = [id for id in sealed(labelled, "worn") if id not in darkest]
    mistaken = relabelled(labelled, dict.fromkeys(bright, "ok"))
    first = set_threshold(bundle, mistaken, config, request)
    stopped = [id for id in sealed(mistaken, "ok") if score(bundle, labelled, id) >= first.low]
    assert set(stopped) == set(bright) and len(first.overkilled) == len(bright)
    again = set_threshold(bundle, labelled, config, request)
    assert again.reading == 2 and again.defects == 17 + len(bright)
    assert again.independent_defects == first.independent_defects == 17
    assert again.low == first.low, "37 defects would have proven 2 misses, and these 17 prove none"
    told = f"{len(bright)} sealed defects prove nothing, because they were scored as good parts"
    with pytest.raises(NotEnoughDefects, match=told):
        set_threshold(bundle, labelled, config, replace(request, escape=0.1))


def test_taking_a_defect_away_is_another_question(run, tmp_path):
    folder, labelled, config = run
    bundle = grey.write(tmp_path / "b", 0.5, folder)
    set_threshold(bundle, labelled, config, ThresholdRequest(escape=0.15, confidence=0.95))
    lowest = min(sealed(labelled, "worn"), key=lambda id: score(bundle, labelled, id))
    changed = relabelled(labelled, {lowest: "ok"})
    again = set_threshold(bundle, changed, config, ThresholdRequest(escape=0.15, confidence=0.95))
    assert again.reading == 2 and again.spent_confidence == 0.975


@pytest.mark.parametrize(
    "change",
    [{"temperature": 1.5}, {"defects": ("ok",)}, {"classes": ("worn", "ok")}],
    ids=["temperature", "defects", "order of the classes"],
)
def test_the_same_network_read_otherwise_is_another_question(run, tmp_path, change):
    folder, labelled, config = run
    bundle = grey.write(tmp_path / "b", 0.5, folder)
    first = plan(bundle, labelled, config, REQUEST)
    other = Bundle(bundle.folder, replace(bundle.manifest, **change))
    assert plan(other, labelled, config, REQUEST).use.model != first.use.model


def test_requests_that_differ_in_the_last_digit_are_two(run, tmp_path):
    folder, labelled, config = run
    bundle = grey.write(tmp_path / "b", 0.5, folder)
    set_threshold(bundle, labelled, config, REQUEST)
    close = replace(REQUEST, escape=0.1 + 1e-9)
    assert plan(bundle, labelled, config, close).use.doubt == pytest.approx(0.025)
    assert plan(bundle, labelled, config, replace(REQUEST, human=0.3)).use.doubt == 1 - 0.95


def test_a_class_that_is_newer_than_the_bundle_counts_as_a_defect(run, tmp_path):
    folder, labelled, config = run
    bundle = grey.write(tmp_path / "b", 0.5, folder)
    torn = sealed(labelled, "ok")[::3]
    grown = replace(config, classes=["ok", "torn", "worn"], defects=["torn", "worn"])
    changed = relabelled(labelled, dict.fromkeys(torn, "torn"))
    found = set_threshold(bundle, changed, grown, REQUEST)
    assert found.defects == len(torn) + len(sealed(labelled, "worn"))
    assert found.good == len(sealed(changed, "ok")) and found.unnamed == 0
    assert len(found.escaped) == len(passing(bundle, changed, "torn", found.low)) <= 2
    assert set(found.per_class) == {"worn", "torn"} and found.per_class["torn"].holds is None
    assert found.per_class["torn"].defects == len(torn)


def test_copies_of_a_photograph_are_one_part(tmp_path):
    root = grey.shades(tmp_path / "parts", 90, 90)
    for label in ("ok", "worn"):
        for path in sorted((root / label).glob("*.png")):
            for number in (1, 2, 3):
                shutil.copy(path, path.with_name(f"{path.stem}_copy{number}.png"))
    words = [f"data.root={root}", 'defects=["worn"]', "audit.share=0.5", f"out={tmp_path / 'run'}"]
    config = replace(compose(words).config, classes=["ok", "worn"])
    import_truth(config)
    labelled = load_labelled(config)
    hashes = labelled.data.hashes
    different = {label: {hashes[id] for id in sealed(labelled, label)} for label in ("ok", "worn")}
    bundle = grey.write(tmp_path / "b", 0.5, tmp_path / "run")
    found = set_threshold(bundle, labelled, config, ThresholdRequest(0.2, 0.95, independent=True))
    assert found.independent_defects == found.defects == len(different["worn"])
    assert found.per_class["worn"].defects == len(different["worn"])
    assert found.good == len(different["ok"])
    (use,) = read(tmp_path / "run" / "seal_readings.jsonl")
    assert set(use.defects) == different["worn"] and set(use.good or ()) == different["ok"]
    by_group = set_threshold(bundle, labelled, config, ThresholdRequest(0.2, 0.95))
    assert by_group.independent_defects == len(different["worn"])


def test_the_threshold_is_the_one_that_different_photographs_prove(run, tmp_path):
    folder, labelled, config = run
    bundle = grey.write(tmp_path / "b", 0.5, folder)
    found = set_threshold(bundle, labelled, config, replace(REQUEST, independent=True))
    scores = np.sort([score(bundle, labelled, id) for id in sealed(labelled, "worn")])
    assert found.low <= scores[0] and found.defects == len(scores)


def test_rounds_that_were_evaluated_on_the_seal_are_uses(run, tmp_path):
    _, labelled, config = run
    own = replace(config, out=str(tmp_path / "own"))
    bundle = grey.write(tmp_path / "b", 0.5, tmp_path / "own")
    ids = labelled.data.evaluation_ids
    assert set(labelled.split.seal) <= set(ids), "a simulated run is evaluated on both halves"
    for number in range(3):
        place = tmp_path / "own" / "rounds" / f"{number:03d}"
        place.mkdir(parents=True)
        values = np.full((len(ids), 2), 0.5)
        ClassProbabilities(ids, ("ok", "worn"), values).write(place / "predictions.parquet")
    with pytest.raises(NotEnoughDefects, match="used 3 times before; 3 of these uses are rounds"):
        set_threshold(bundle, labelled, own, REQUEST)
    found = set_threshold(bundle, labelled, own, replace(REQUEST, escape=0.2))
    assert found.reading == 4 and found.spent_confidence == pytest.approx(1 - 0.05 / 8)
    assert len(read(tmp_path / "own" / "seal_readings.jsonl")) == 1


def test_a_model_of_another_run_on_the_same_images_is_a_further_use(run, tmp_path):
    """Whoever trains in a new folder every month is scored on the same sealed images."""
    folder, labelled, config = run
    request = replace(REQUEST, escape=0.2)
    first = set_threshold(grey.write(tmp_path / "a", 0.5, folder), labelled, config, request)
    other = replace(config, out=str(tmp_path / "other"))
    bundle = grey.write(tmp_path / "b", 0.6, tmp_path / "other")
    second = set_threshold(bundle, labelled, other, request)
    assert (first.reading, second.reading) == (1, 2) and second.spent_confidence == 0.975
    assert set_threshold(bundle, labelled, other, request) == second
    shared, own = log_files(labelled, other)
    assert len(read(shared)) == 2 and len(read(own)) == 1


def test_a_log_of_before_in_the_runs_own_folder_counts(run, tmp_path):
    folder, labelled, config = run
    request = replace(REQUEST, escape=0.2)
    set_threshold(grey.write(tmp_path / "a", 0.5, folder), labelled, config, request)
    shared, own = log_files(labelled, config)
    shared.unlink()
    second = grey.write(tmp_path / "b", 0.6, folder)
    assert set_threshold(second, labelled, config, request).reading == 2
    assert len(read(shared)) == len(read(own)) == 2
    assert set_threshold(second, labelled, config, request).reading == 2
