import numpy as np
import pytest
from scipy.special import softmax as reference_softmax

from alvision.deploy.bundle.verdict import (
    Decision,
    decide,
    escapes,
    novelty,
    overkilled,
    softmax,
    usual_novelty,
)


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
    assert usual_novelty(np.empty((0, 16)), known(1)) == 2.0


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
