from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.conftest import CLASSES, FINETUNE, ON_CPU, TINY

SURE = replace(ON_CPU, head_learning_rate=0.1)


@pytest.fixture
def learner(learn, embedded):
    return learn(of=embedded, trainer=SURE)


def test_a_wrong_label_is_not_learned_by_heart(learner, truth):
    wrong = next(id for id, label in truth.items() if label == "ok")
    said = learner.cross_predict({**truth, wrong: "worn"}, round=1)
    assert (set(said.ids), said.classes) == (set(truth), CLASSES)
    assert np.allclose(said.values.sum(1), 1, atol=1e-5)
    believed = [said.classes[column] for column in said.values.argmax(1)]
    assert dict(zip(said.ids, believed, strict=True)) == truth


@pytest.mark.slow
def test_nothing_of_a_group_is_seen(learn, embedded, truth):
    """All images of a class are one group: whoever saw none of it cannot know it."""
    groups = ["worn" if label == "worn" else id for id, label in truth.items()]
    learner = learn(of=embedded, trainer=SURE, groups=groups)
    said = learner.cross_predict(truth, round=1)
    of_worn = [row for id, row in zip(said.ids, said.values, strict=True) if truth[id] == "worn"]
    assert np.max(np.array(of_worn)[:, CLASSES.index("worn")]) <= 0.5


@pytest.mark.slow
def test_seed_and_round_alone_decide(learner, truth):
    first = learner.cross_predict(truth, round=1)
    again = learner.cross_predict(dict(reversed(truth.items())), round=1)
    assert np.array_equal(first.values, again.values)
    assert not np.array_equal(first.values, learner.cross_predict(truth, round=2).values)


@pytest.mark.parametrize("labels", [{}, {"a": "ok"}])
def test_with_nothing_to_compare_it_is_uniform(learner, truth, labels):
    some = dict(zip(list(truth)[:3], labels.values(), strict=False))
    said = learner.cross_predict(some, round=0)
    assert said.values.shape == (len(some), 2)
    assert np.all(said.values == 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("model", [TINY, FINETUNE], ids=["frozen", "finetune"])
def test_on_pictures_it_works_both_ways(learn, truth, model):
    said = learn(model).cross_predict(truth, round=1)
    assert said.values.shape == (len(truth), 2)
    assert said.values.min() >= 0
    assert not np.all(said.values == 0.5)
