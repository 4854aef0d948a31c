from alvision.data.image_spec import ImageSpec
from alvision.deploy.bundle.manifest import BundleManifest, NoveltyScale
from alvision.deploy.bundle.model_card import model_card
from alvision.deploy.train.model_facts import MonitorFigures

SUPPORT = {name: {"support": count} for name, count in (("ok", 40), ("worn", 2), ("torn", 1))}


CONTEST = {
    "chosen": "mean",
    "reason": "better than frozen by both macro-F1 (+0.020) and log loss",
    "images": 90,
    "entries": [
        {"name": "frozen", "macro_f1": 0.8, "log_loss": 0.5, "gain": 0.0, "low": 0.0, "high": 0.0},
        {
            "name": "mean",
            "macro_f1": 0.82,
            "log_loss": 0.4,
            "gain": 0.02,
            "low": -0.01,
            "high": 0.05,
        },
    ],
}


def card(figures, contest=None):
    return model_card(
        BundleManifest(
            classes=("ok", "worn", "torn"),
            image=ImageSpec(8),
            novelty=NoveltyScale(5, 1.0),
            files={},
            defects=("worn", "torn"),
            monitor=MonitorFigures(figures),
        ),
        {"onnx": 1e-6},
        contest,
    )


def test_a_rate_of_a_few_images_comes_with_how_little_it_says():
    text = card(
        {
            "n": 43,
            "accuracy": 0.9,
            "macro_f1": 0.9,
            "ece": 0.02,
            "escape_rate": 0.0,
            "overkill_rate": 0.05,
            "confusion": [[38, 1, 1], [0, 1, 1], [0, 0, 1]],
            "per_class": SUPPORT,
        }
    )
    assert "accuracy 0.900 (77 to 98 %)" in text
    assert "0 of 3 (0 to 71 %) defects there pass" in text
    assert "2 of 40 (0 to 17 %) good parts are rejected" in text


def test_without_defects_there_is_no_rate_of_them():
    figures = {"n": 43, "accuracy": 1.0, "macro_f1": 1.0, "ece": 0.0, "escape_rate": None}
    text = card(figures | {"per_class": SUPPORT})
    assert "accuracy 1.000 (91 to 100 %)" in text and "defects there pass" not in text


def test_few_images_give_no_figure():
    assert "Nothing: no monitor image is labelled yet." in card({})
    assert "Nothing: 1 monitor image: too few to say." in card({"n": 1, "accuracy": 1.0})


def test_a_contest_is_told_with_what_each_kind_reached():
    text = card({}, CONTEST)
    assert "mean: better than frozen by both macro-F1 (+0.020) and log loss." in text
    assert "On 90 labelled images that they had not learned" in text
    assert "| frozen | 0.800 | | 0.500 |" in text
    assert "| mean | 0.820 | +0.020 (-0.010 to +0.050) | 0.400 |" in text


def test_without_a_contest_the_reason_stands_alone():
    none = {"chosen": "frozen", "reason": "no contest: an ensemble", "images": 0, "entries": []}
    assert "frozen: no contest: an ensemble." in card({}, none)
    assert "| network |" not in card({}, none) and "kind of network" not in card({})
