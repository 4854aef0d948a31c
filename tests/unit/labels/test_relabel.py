import numpy as np

from alvision.evaluation.probabilities import ClassProbabilities
from alvision.labels.consensus import Settled
from alvision.labels.relabel import relabels

CLASSES = ("ok", "worn", "bent")
IDS = tuple(f"{i:02d}.png" for i in range(24))
TRUTH = {id: CLASSES[i % 3] for i, id in enumerate(IDS)}
OTHER = {"ok": "worn", "worn": "bent", "bent": "ok"}


def probabilities():
    values = np.full((len(IDS), 3), 0.05)
    values[range(len(IDS)), [CLASSES.index(TRUTH[id]) for id in IDS]] = 0.9
    return ClassProbabilities(IDS, CLASSES, values)


def votes(**said):
    labels = list(said.values())
    return Settled(labels[-1], said, conflict=len(set(labels)) > 1)


def test_a_label_that_the_model_does_not_believe_comes_first(capsys):
    settled = {id: votes(anna=label) for id, label in TRUTH.items()}
    settled["07.png"] = votes(anna=OTHER[TRUTH["07.png"]])
    scores = relabels(settled, probabilities())
    assert next(iter(scores)) == "07.png"
    assert list(scores.values()) == sorted(scores.values())
    assert scores.keys() == TRUTH.keys()
    assert capsys.readouterr().out == ""


def test_where_people_agree_with_each_other_nobody_is_asked_again_first():
    settled = {id: votes(anna=label, bert=label) for id, label in TRUTH.items()}
    settled["03.png"] = votes(anna=TRUTH["03.png"], bert=OTHER[TRUTH["03.png"]])
    settled["04.png"] = votes(cleo=TRUTH["04.png"])
    assert list(relabels(settled, probabilities()))[:2] == ["03.png", "04.png"]


def test_two_people_who_agree_on_nothing_are_no_warning():
    settled = {id: votes(anna=label) for id, label in TRUTH.items()}
    settled["03.png"] = votes(anna=TRUTH["03.png"], bert=OTHER[TRUTH["03.png"]])
    assert "03.png" in relabels(settled, probabilities())


def test_what_cannot_be_judged_is_left_out():
    settled = {
        "00.png": Settled("ok", {"anna": "ok"}, False, by="dora"),
        "01.png": votes(anna="a class that the model does not know"),
        "no prediction.png": votes(anna="ok"),
        "02.png": votes(anna="ok"),
    }
    assert list(relabels(settled, probabilities())) == ["02.png"]
    assert relabels({}, probabilities()) == {}


def test_equal_doubts_do_not_favour_the_first_names():
    settled = {id: votes(anna=label) for id, label in TRUTH.items()}
    scores = relabels(settled, probabilities())
    alike: dict[float, list[str]] = {}
    for id, score in scores.items():
        alike.setdefault(score, []).append(id)
    longest = max(alike.values(), key=len)
    assert len(longest) >= 8 and longest != sorted(longest)
    assert list(relabels(dict(reversed(settled.items())), probabilities())) == list(scores)
