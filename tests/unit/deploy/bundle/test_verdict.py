import numpy as np
import pytest
import torch
from scipy.special import softmax as reference_softmax

from alvision.anomaly.scores import image_scores
from alvision.deploy.bundle.verdict import (
    FEWEST_HELD_OUT,
    Decision,
    decide,
    defect_scores,
    escapes,
    novelty,
    overkilled,
    softmax,
    strangest,
    usual_novelty,
)
from alvision.deploy.threshold.binomial import defects_needed
from alvision.deploy.threshold.cutoffs import just_below


def known(n, seed=0):
    centre = np.r_[np.ones(4), np.zeros(12)]
    return centre + 0.2 * np.random.default_rng(seed).normal(size=(n, 16))


def test_a_new_kind_is_stranger_than_what_is_known():
    reference, held_out = known(200), known(100, seed=1)
    strange = np.roll(held_out, 8, axis=1)
    limit = usual_novelty(held_out, reference)
    assert (novelty(strange, reference) > limit).all()
    assert (novelty(held_out, reference) <= limit).mean() >= 0.98


def test_length_does_not_matter_and_a_copy_is_not_new():
    reference = np.repeat(known(3), 5, axis=0)
    assert np.allclose(novelty(7 * reference, reference), 0, atol=1e-3)


def test_fewer_known_images_than_neighbours():
    assert novelty(known(4), known(2)).shape == (4,)


def test_with_few_held_out_images_nothing_is_called_new():
    assert defects_needed(escape=0.05, confidence=0.95) == FEWEST_HELD_OUT
    reference = known(200)
    strange = -known(50, seed=1)
    for few in (0, 1, 13, FEWEST_HELD_OUT - 1):
        assert (novelty(strange, reference) <= usual_novelty(known(few, seed=2), reference)).all()
    enough = known(FEWEST_HELD_OUT, seed=2)
    assert (novelty(strange, reference) > usual_novelty(enough, reference)).all()


def test_with_just_enough_held_out_images_few_others_are_called_new():
    reference = known(100)
    strangeness = novelty(known(20_000, seed=1), reference)
    new = [
        (strangeness > usual_novelty(known(FEWEST_HELD_OUT, seed=100 + run), reference)).mean()
        for run in range(400)
    ]
    # 95 % sure, and three standard errors of 400 runs.
    assert np.mean(np.array(new) > 0.05) < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_softmax_is_that_of_scipy(temperature):
    logits = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32) * 30
    expected = reference_softmax(logits.astype(np.float64) / temperature, axis=1)
    assert np.allclose(softmax(logits, temperature), expected, rtol=1e-12, atol=1e-300)
    assert softmax(np.empty((0, 3))).shape == (0, 3)


def decided(cutoffs, defects=("worn",)):
    """Return the verdicts of three parts with defect scores near 0.1, 0.5 and 0.9."""
    logits = np.log([[0.9, 0.1], [0.5001, 0.4999], [0.1, 0.9]])
    rows = decide(
        logits,
        known(3),
        known(5),
        classes=("ok", "worn"),
        defects=defects,
        temperature=1.0,
        usual=1.0,
        cutoffs=cutoffs,
    )
    return [row[1] for row in rows]


def test_two_cutoffs_make_a_band_for_people():
    assert decided((0.3, 0.7)) == ["pass", "human", "reject"]
    assert decided((0.3, np.inf)) == ["pass", "human", "human"]
    assert decided((0.3, 0.3)) == ["pass", "reject", "reject"]


def test_without_cutoffs_the_likeliest_class_decides():
    assert decided(None) == ["pass", "pass", "reject"]
    assert decided(None, defects=()) == ["", "", ""]


def test_a_score_at_the_threshold_is_rejected():
    logits = np.log([[0.7, 0.3]])
    score = softmax(logits)[0, 1]
    rules = {"classes": ("ok", "worn"), "defects": ("worn",), "temperature": 1.0, "usual": 1.0}
    row = decide(logits, known(1), known(5), cutoffs=(score, score), **rules)[0]
    assert row[1] == "reject" and row[2] == score


RULES = {"classes": ("ok", "worn"), "defects": ("worn",), "temperature": 1.0, "usual": 1.0}


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("cutoffs", [None, (0.5, 0.7), (0.0, 0.0)])
def test_what_is_no_number_is_never_decided(number, cutoffs):
    logits = np.array([[3.0, 0.0], [number, 0.0], [3.0, number], [0.0, 3.0]])
    features = np.vstack([known(3), [[number] * 16]])
    rows = decide(logits, features, known(5), cutoffs=cutoffs, **RULES)
    assert [row is None for row in rows] == [False, True, True, True]
    assert rows[0][0] == "ok"


@pytest.mark.parametrize("temperature", [np.nan, np.inf])
def test_a_temperature_that_is_no_number_lets_nothing_pass(temperature):
    rules = RULES | {"temperature": temperature}
    rows = decide(np.array([[9.0, 0.0]]), known(1), known(5), cutoffs=(0.4, 0.6), **rules)
    assert rows[0] is None or rows[0][1] != "pass"


def test_a_cutoff_that_is_no_number_lets_nothing_pass():
    cutoffs = (np.nan, np.nan)
    assert decide(np.array([[9.0, 0.0]]), known(1), known(5), cutoffs=cutoffs, **RULES)[0][1] == (
        "reject"
    )


@pytest.mark.parametrize("count", [2, 3, 12])
def test_the_defect_that_sets_the_threshold_is_stopped_in_any_batch(count):
    rng = np.random.default_rng(0)
    classes = tuple(f"c{i}" for i in range(count))
    rules = {"classes": classes, "defects": classes[1:], "temperature": 1.37, "usual": 1.0}
    features = np.ones((100, 4))
    for _ in range(40):
        logits = (4 * rng.normal(size=(100, count))).astype(np.float32)
        alone = [defect_scores(softmax(row[None], 1.37), classes, classes[1:])[0] for row in logits]
        # As another batch, or another processor, adds up the last digits.
        again = logits * (1 + 1e-5 * rng.uniform(-1, 1, size=logits.shape))
        slack = 2e-4 * abs(logits).max() / 1.37
        for number in (3, 50):
            cut = just_below(alone[number], slack=slack)
            for batch in (logits, again):
                rows = decide(batch, features, features[:1], cutoffs=(cut, cut), **rules)
                assert rows[number][1] == "reject"


def test_mistakes_by_verdict():
    passes = Decision("ok", "pass", 0.1, 0.2, (0.9, 0.1))
    doubtful = Decision("ok", "human", 0.4, 0.2, (0.6, 0.4))
    assert escapes("worn", passes, ["ok"]) and not escapes("worn", doubtful, ["ok"])
    assert escapes("newer than the bundle", passes, ["ok"]) and not escapes("ok", passes, ["ok"])
    assert overkilled("ok", doubtful, ["ok"]) and not overkilled("ok", passes, ["ok"])
    assert not overkilled("worn", doubtful, ["ok"]) and not overkilled("ok", doubtful, [])


def test_doubt_and_novelty_make_an_image_worth_a_label():
    sure = Decision("ok", "pass", 0.1, 0.2, (0.9, 0.1))
    doubtful = Decision("ok", "pass", 0.4, 0.2, (0.6, 0.4))
    new = Decision("ok", "pass", 0.1, 2.0, (0.9, 0.1))
    assert sure.worth < doubtful.worth < new.worth


def test_a_memory_tells_novelty_by_the_strangest_tenth_of_the_places():
    maps = np.random.default_rng(0).random((3, 1, 6, 5)).astype(np.float32)
    expected = image_scores(torch.from_numpy(maps).flatten(1))
    assert np.allclose(strangest(maps), expected.numpy())
    logits, rules = np.zeros((3, 2)), {**RULES, "usual": 0.5}
    rows = decide(logits, known(3), known(5), cutoffs=None, maps=maps, **rules)
    assert np.allclose([row[3] for row in rows], expected.numpy() / 0.5)
