"""The signs to stop: what each says of known rounds, and when they are enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.advice.facts import Facts, Gain, RoundFacts
from alvision.advice.sentences import advise
from alvision.advice.stopping import Sign, signs, stop_here


def rounds(count=6, *, gain=0.0, agreement=0.99, uncertainty=0.3, value=0.8):
    return [
        RoundFacts(
            labels=20 * (k + 1),
            answers=20 * (k + 1),
            images=200,
            value=value,
            low=value - 0.05,
            high=value + 0.05,
            gains=(Gain(20, gain, gain - 0.03, gain + 0.03),) * min(k, 3),
            agreement=agreement if k else None,
            uncertainty=uncertainty + 0.02 * (count - k) * (uncertainty > 0.5),
            expected_error=0.1,
        )
        for k in range(count)
    ]


def said(*args, **more):
    return {sign.name: sign.stop for sign in signs(*args, batch=20, **more)}


def test_a_curve_that_has_settled_shows_every_sign():
    assert said(rounds()) == {
        "predictions": True, "uncertainty": True, "error": True, "score": True, "value": None
    }  # fmt: skip


@pytest.mark.parametrize(
    "change, name",
    [({"gain": 0.02}, "score"), ({"agreement": 0.8}, "predictions"),
     ({"uncertainty": 0.6}, "uncertainty")],
)  # fmt: skip
def test_each_sign_reads_its_own_figure(change, name):
    assert [key for key, stop in said(rounds(**change)).items() if stop is False] == [name]


def test_with_few_rounds_nothing_is_said():
    assert set(said(rounds(2)).values()) == {None}


def test_a_value_weighs_the_next_batch():
    assert said(rounds(), value_of_error=1)["value"] is True
    rising = [RoundFacts(20 * k, 20 * k, value=1 - 4 * (20 * k) ** -0.6) for k in range(2, 9)]
    assert said(rising, value_of_error=1000)["value"] is False


@given(st.tuples(*[st.sampled_from([True, False, None])] * 5))
def test_a_score_that_rises_or_is_not_known_is_never_a_stop(stops):
    names = ("predictions", "uncertainty", "error", "score", "value")
    found = [Sign(name, stop) for name, stop in zip(names, stops, strict=True)]
    if stop_here(found):
        assert stops[3] and stops[4] is not False


def test_the_line_says_stop_and_by_how_many_signs():
    facts = Facts(
        rounds=tuple(rounds()), choosing=True, classes={"a": 1, "b": 2}, images=900, labels=120
    )
    lines = [str(sentence) for sentence in advise(facts)]
    assert lines[0] == "stop here: 4 of 4 signs say that more labels do not pay"
    assert "the score has not risen for some rounds" in lines
