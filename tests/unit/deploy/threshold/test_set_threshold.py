import json
from dataclasses import replace

import numpy as np
import pytest

from alvision.config.compose import compose
from alvision.core.errors import UserError
from alvision.data.image_spec import ImageSpec
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.manifest import BundleManifest, NoveltyScale
from alvision.deploy.threshold.cutoffs import NotEnoughDefects
from alvision.deploy.threshold.plan import ThresholdRequest
from alvision.deploy.threshold.set_threshold import set_threshold
from alvision.deploy.train.labelled_data import import_truth, load_labelled
from alvision.evaluation.probabilities import ClassProbabilities
from tests.support import grey

REQUEST = ThresholdRequest(escape=0.05, confidence=0.95)


def bundle(folder, classes, defects, trained_on=(), kind=Bundle):
    """Return a bundle without a network: it must refuse before an image is opened."""
    manifest = BundleManifest(
        classes=tuple(classes),
        image=ImageSpec(8),
        novelty=NoveltyScale(5, 1.0),
        files={"model.onnx": "f00d"},
        defects=tuple(defects),
        trained_on=tuple(trained_on),
    )
    return kind(folder, manifest)


def labelled_data(words):
    config = compose(words).config
    import_truth(config)
    return load_labelled(config), config


@pytest.fixture
def worn(parts, tmp_path):
    labelled, config = labelled_data(
        [f"data.root={parts}", f"out={tmp_path / 'run'}", "audit.share=0.5", 'defects=["worn"]']
    )
    return labelled, replace(config, classes=["ok", "worn"])


@pytest.mark.parametrize(
    ("classes", "defects", "told"),
    [
        (["ok", "worn"], [], "defects= names no class as a defect"),
        (["ok", "worn"], ["ok", "worn"], "every class is a defect"),
        (["ok", "torn"], ["torn"], "knows the class torn, which the run no longer has"),
    ],
)
def test_classes_that_allow_no_promise(worn, tmp_path, classes, defects, told):
    with pytest.raises(UserError, match=told):
        set_threshold(bundle(tmp_path, classes, defects), *worn, REQUEST)


def test_no_defect_in_the_seal(worn, tmp_path):
    labelled, config = worn
    for id in list(labelled.held_out):
        if labelled.held_out[id] == "worn":
            del labelled.held_out[id]
    with pytest.raises(NotEnoughDefects, match="there are 0"):
        set_threshold(bundle(tmp_path, ["ok", "worn"], ["worn"]), labelled, config, REQUEST)


def test_a_sealed_image_that_was_trained_on_is_refused(worn, tmp_path):
    labelled, config = worn
    hashes = [labelled.data.hashes[id] for id in labelled.split.seal]
    own = bundle(tmp_path, ["ok", "worn"], ["worn"], trained_on=hashes[:1])
    with pytest.raises(UserError, match="was trained on, so it proves nothing"):
        set_threshold(own, labelled, config, REQUEST)


def test_what_is_held_out_is_never_trained_on(worn):
    labelled, _ = worn
    assert not labelled.training.keys() & set(labelled.split.held_out)
    assert set(labelled.training) == set(labelled.split.pool)
    assert len(labelled.labels_hash) == 64 and labelled.labels_hash != labelled.data_hash


class Scores(Bundle):
    """A bundle whose network is a table: an image's score by its mean grey value."""

    def run(self, pixels, *, threads=0):
        from alvision.deploy.bundle.bundle import Output

        grey = pixels.mean((1, 2, 3)) / 255
        return Output(np.stack([0 * grey, grey], 1), grey[:, None], grey[:, None, None, None])


def test_unsure_answers_count_as_defects(worn, tmp_path):
    labelled, config = worn
    (tmp_path / "bundle.json").write_text("{}")
    own = bundle(tmp_path, ["ok", "worn"], ["worn"], kind=Scores)
    request = ThresholdRequest(escape=0.9, confidence=0.5)
    first = set_threshold(own, labelled, config, request)
    assert first.unnamed == 0
    seal = [id for id in labelled.split.seal if labelled.held_out.get(id) == "ok"]
    doubted = type(labelled)(
        labelled.data,
        labelled.split,
        labelled.groups,
        labelled.training,
        {id: label for id, label in labelled.held_out.items() if id != seal[0]},
        frozenset(seal[:1]),
    )
    (tmp_path / "run" / "seal_readings.jsonl").unlink()
    again = set_threshold(own, doubted, config, request)
    assert again.unnamed == 1
    assert again.defects == first.defects + 1 and again.good == first.good - 1


@pytest.mark.slow
def test_a_run_of_many_rounds_is_refused_in_one_line(worn, tmp_path):
    labelled, config = worn
    seal = labelled.split.seal
    for number in range(60):
        place = tmp_path / "run" / "rounds" / f"{number:03d}"
        place.mkdir(parents=True)
        values = np.full((len(seal), 2), 0.5)
        ClassProbabilities(tuple(seal), ("ok", "worn"), values).write(place / "predictions.parquet")
    told = "60 times before, 60 times by rounds of this simulated run, too often"
    with pytest.raises(UserError, match=told):
        set_threshold(bundle(tmp_path, ["ok", "worn"], ["worn"]), labelled, config, REQUEST)


def scored_by_grey(worn, tmp_path):
    (tmp_path / "bundle.json").write_text("{}")
    return bundle(tmp_path, ["ok", "worn"], ["worn"], kind=Scores), *worn


def test_a_person_needs_the_share_of_defects_on_the_line(worn, tmp_path):
    own, labelled, config = scored_by_grey(worn, tmp_path)
    request = ThresholdRequest(escape=0.9, confidence=0.5, human=0.5)
    monitor = [labelled.held_out[id] == "worn" for id in labelled.split.monitor]
    assert set_threshold(own, labelled, config, request).defect_share == np.mean(monitor)
    given = set_threshold(own, labelled, config, replace(request, defect_share=0.01, human=1.0))
    assert given.defect_share == 0.01 and not given.rejects and given.human > 0
    # Not every reader of JSON knows infinity.
    json.loads((tmp_path / "thresholds.json").read_text(), parse_constant=pytest.fail)
    (tmp_path / "run" / "seal_readings.jsonl").unlink()
    for id in labelled.split.monitor:
        del labelled.held_out[id]
    with pytest.raises(UserError, match=r"no monitor image has a label.*defect_share=0\.01"):
        set_threshold(own, labelled, config, request)
    assert not (tmp_path / "run" / "seal_readings.jsonl").exists(), "a refusal costs nothing"
    assert set_threshold(own, labelled, config, replace(request, human=None)).defect_share is None


def test_lots_of_unequal_size_count_in_proportion(tmp_path):
    (tmp_path / "bundle.json").write_text("{}")
    own = bundle(tmp_path, ["ok", "worn"], ["worn"], kind=Scores)
    _, labelled, config = grey.shop(tmp_path, 60)
    sealed = [id for id in labelled.split.seal if labelled.held_out.get(id) == "worn"]
    half = len(sealed) // 2
    lots = dict.fromkeys(sealed[:half], "bad batch")
    unequal = replace(labelled, groups={id: lots.get(id, id) for id in labelled.groups})
    request = ThresholdRequest(escape=0.9, confidence=0.5)
    limits = set_threshold(own, unequal, config, request)
    assert (limits.lots.count, limits.lots.largest) == (len(sealed) - half + 1, half)
    assert 1 <= limits.independent_defects < limits.lots.count
    assert f"for lots with at most {half} defects" in limits.promise
    (tmp_path / "run" / "seal_readings.jsonl").unlink()
    with pytest.raises(NotEnoughDefects, match="smaller lots count less than the largest"):
        set_threshold(own, unequal, config, ThresholdRequest(escape=0.05, confidence=0.95))


def test_a_network_that_gives_no_numbers_sets_no_threshold(worn, tmp_path):
    class Broken(Scores):
        def run(self, pixels, *, threads=0):
            output = super().run(pixels)
            return output._replace(logits=output.logits * np.nan)

    own = bundle(tmp_path, ["ok", "worn"], ["worn"], kind=Broken)
    with pytest.raises(UserError, match="no finite numbers for the sealed image"):
        set_threshold(own, *worn, ThresholdRequest(escape=0.9, confidence=0.5))
