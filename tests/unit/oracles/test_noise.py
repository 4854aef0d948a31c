from collections import Counter

import pytest

from alvision.core.errors import UserError
from alvision.oracles.noise import confused, costs, graded, noisy_answers

CLASSES = ["ok", "worn", "bent"]
TRUTH = {f"{i}.png": CLASSES[i % 3] for i in range(6000)}


def test_classes_are_confused_as_often_as_stated():
    chances = confused({"ok": {"worn": 0.2, "bent": 0.1}, "worn": {"ok": 1.0}}, CLASSES)
    said = noisy_answers(TRUTH, chances, seed=0)
    counts = Counter((TRUTH[id], answer) for id, answer in said.items())
    assert counts["worn", "ok"] == 2000 and counts["bent", "bent"] == 2000
    assert counts["ok", "worn"] == pytest.approx(400, abs=75)  # 4 standard deviations
    assert counts["ok", "bent"] == pytest.approx(200, abs=55)


def test_what_is_said_depends_on_the_seed_and_the_image_alone():
    chances = confused({"ok": {"worn": 0.5}}, CLASSES)
    said = noisy_answers(TRUTH, chances, seed=1)
    some = dict(list(TRUTH.items())[:100:3])
    assert noisy_answers(some, chances, seed=1) == {id: said[id] for id in some}
    assert noisy_answers(some, chances, seed=2) != noisy_answers(some, chances, seed=1)


def test_another_answer_to_an_image_is_a_draw_of_its_own():
    chances = confused({"ok": {"worn": 0.5}}, CLASSES)
    said = [noisy_answers(TRUTH, chances, seed=1, nth=nth) for nth in (1, 2, 3)]
    assert said[0] == noisy_answers(TRUTH, chances, seed=1)
    asked = [id for id, label in TRUTH.items() if label == "ok"]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        alike = sum(said[one][id] == said[other][id] for id in asked)
        assert alike == pytest.approx(len(asked) / 2, abs=90)  # 4 standard deviations


def test_the_first_answers_are_those_of_earlier_versions():
    few = dict.fromkeys(("a.png", "b.png", "c.png", "d.png"), "ok")
    said = noisy_answers(few, lambda id, label: {"worn": 0.5}, seed=1)
    assert list(said.values()) == ["worn", "ok", "ok", "worn"]


def test_a_graded_opinion_is_how_often_each_answer_comes():
    grades = [{"worn": i % 4 / 3, "ok": 1 - i % 4 / 3} for i in range(6000)]
    said = noisy_answers(TRUTH, graded(tuple(TRUTH), grades), seed=0)
    worn = Counter(i % 4 for i, answer in enumerate(said.values()) if answer == "worn")
    assert worn[0] == 0 and worn[3] == 1500
    assert worn[1] == pytest.approx(500, abs=75) and worn[2] == pytest.approx(1000, abs=75)


def test_data_without_opinions_cannot_be_graded():
    with pytest.raises(UserError, match=r"oracle\.graded=true needs"):
        graded(("a.png",), (None,))


@pytest.mark.parametrize(
    ("confusion", "told"),
    [
        ({"okay": {"worn": 0.1}}, "'okay'"),
        ({"ok": 0.1}, "must read"),
        ({"ok": {"okay": 0.1}}, "'okay', which is not another class"),
        ({"ok": {"ok": 0.1}}, "not another class"),
        ({"ok": {"worn": 1.5}}, "rate 1.5"),
        ({"ok": {"worn": "often"}}, "rate often"),
        ({"ok": {"worn": 0.6, "bent": 0.6}}, "sum to 1.2"),
    ],
)
def test_bad_confusions_are_named(confusion, told):
    with pytest.raises(UserError, match=told):
        confused(confusion, CLASSES)


def test_answers_cost_alike_or_by_class():
    assert costs(None, ["ok", "worn"]) == {}
    assert costs({"ok": 2, "worn": 8}, ["ok", "worn"]) == {"ok": 2.0, "worn": 8.0}
    for bad in (0, "3", {"ok": 2}, {"ok": 2, "worn": -1}, {"ok": 2, "worn": 8, "bent": 1}, True):
        with pytest.raises(UserError, match=r"oracle\.seconds="):
            costs(bad, ["ok", "worn"])
