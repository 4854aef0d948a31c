import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.labels.consensus import Settled
from alvision.labels.dawid_skene import (
    RIGHT,
    WRONG,
    beliefs_of,
    compared,
    dawid_skene,
    mistaken,
)

CLASSES = ("ok", "worn")


def test_beliefs_by_hand():
    """Anna says ok, Bert worn. She calls .9 of ok and .6 of worn right, he .8 and .7."""
    confusion = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.8, 0.2], [0.3, 0.7]]])
    said, unknown = np.array([[0, 1]]), np.array([-1])
    easy, hard = beliefs_of(said, confusion, np.array([0.75, 0.25]), 0.0, unknown)
    ok, worn = 0.75 * 0.9 * 0.2, 0.25 * 0.4 * 0.7
    assert easy[0] == pytest.approx([ok / (ok + worn), worn / (ok + worn)])
    assert not hard.any()
    easy, hard = beliefs_of(said, confusion, np.array([0.75, 0.25]), 0.2, unknown)
    parts = np.array([0.8 * ok, 0.8 * worn, 0.2 * 0.75 / 4, 0.2 * 0.25 / 4])
    assert [*easy[0], *hard[0]] == pytest.approx(parts / parts.sum())
    easy, hard = beliefs_of(said, confusion, np.array([0.75, 0.25]), 0.2, np.array([1]))
    assert easy[0, 0] == hard[0, 0] == 0 and easy[0, 1] + hard[0, 1] == pytest.approx(1)


def test_settled_images_count_as_what_they_are():
    votes = {f"{i}.png": {"anna": "ok" if i < 3 else "worn"} for i in range(4)}
    crowd = dawid_skene(votes, CLASSES, known=dict.fromkeys(votes, "worn"))
    sure = np.array([1 - crowd.hard[id] for id in votes])
    assert crowd.counts[0, 1] == pytest.approx([sure[:3].sum(), sure[3]])
    assert not crowd.counts[0, 0].any()
    assert crowd.confusion[0, 0] == pytest.approx(
        [RIGHT / (RIGHT + WRONG), WRONG / (RIGHT + WRONG)]
    )
    assert all(list(belief) == [0, 1] for belief in crowd.beliefs.values())


def test_a_simulated_crowd_is_found_out():
    rng = np.random.default_rng(0)
    classes = ("ok", "worn", "bent")
    confusion = {
        "careful": np.array([[0.95, 0.03, 0.02], [0.03, 0.95, 0.02], [0.02, 0.03, 0.95]]),
        "hasty": np.array([[0.7, 0.15, 0.15], [0.15, 0.7, 0.15], [0.15, 0.15, 0.7]]),
        "overlooks": np.array([[1.0, 0.0, 0.0], [0.6, 0.4, 0.0], [0.1, 0.0, 0.9]]),
    }
    truth = {f"{i}.png": int(c) for i, c in enumerate(rng.choice(3, 900, p=[0.6, 0.25, 0.15]))}
    votes = {
        id: {by: classes[rng.choice(3, p=table[c])] for by, table in confusion.items()}
        for id, c in truth.items()
    }
    crowd = dawid_skene(votes, classes)
    for by, table in confusion.items():
        found = crowd.confusion[crowd.people.index(by)]
        assert np.abs(found - table).max() < 0.12
    believed = {id: int(belief.argmax()) for id, belief in crowd.beliefs.items()}
    right = np.mean([believed[id] == c for id, c in truth.items()])

    def most(said):
        given = list(said.values())
        return max(given, key=lambda one: (given.count(one), given.index(one)))

    majority = np.mean([most(votes[id]) == classes[c] for id, c in truth.items()])
    assert right > majority + 0.02
    sure = [id for id, belief in crowd.beliefs.items() if belief.max() > 0.9]
    assert np.mean([believed[id] == truth[id] for id in sure]) > 0.93


def test_an_image_on_which_careful_people_disagree_is_hard():
    votes = {f"{i}.png": dict.fromkeys("abcd", CLASSES[i % 2]) for i in range(40)}
    votes["odd.png"] = {"a": "ok", "b": "ok", "c": "worn", "d": "worn"}
    crowd = dawid_skene(votes, CLASSES)
    assert crowd.hard["odd.png"] > 0.4 > 10 * crowd.hard["0.png"]


ANSWERS = st.dictionaries(
    st.integers(0, 9).map("{}.png".format),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from([*CLASSES, "gone"])),
)


@given(ANSWERS)
def test_whatever_is_said_beliefs_and_confusions_are_probabilities(votes):
    crowd = dawid_skene(votes, CLASSES)
    named = {id for id, said in votes.items() if set(said.values()) & set(CLASSES)}
    assert crowd.beliefs.keys() == named == crowd.hard.keys()
    for belief in crowd.beliefs.values():
        assert belief.sum() == pytest.approx(1) and (belief >= 0).all()
    assert np.allclose(crowd.confusion.sum(2), 1)
    assert 0 <= crowd.counts.sum() <= sum(len(said) for said in votes.values()) + 1e-9


def test_the_order_of_images_and_classes_does_not_matter():
    votes = {"a": {"x": "ok", "y": "ok"}, "b": {"x": "worn"}, "c": {"y": "worn", "x": "ok"}}
    one = dawid_skene(votes, CLASSES)
    other = dawid_skene(dict(reversed(votes.items())), CLASSES[::-1])
    for id in votes:
        assert one.beliefs[id] == pytest.approx(other.beliefs[id][::-1], abs=1e-5)


def test_one_tie_blames_nobody_and_a_lone_answer_compares_with_nothing():
    tie = Settled("worn", {"anna": "ok", "bert": "worn"}, conflict=True)
    assert mistaken(compared({"a.png": tie}, CLASSES)) == []
    assert compared({"a.png": Settled("ok", {"anna": "ok"}, False)}, CLASSES) is None
    assert mistaken(None) == []
