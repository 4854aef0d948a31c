import math
from dataclasses import replace

import pytest

from alvision.deploy.bundle.promise import (
    catches,
    cutoff,
    evidence,
    for_class,
    percent_at_most,
    percent_sure,
    promise,
    verdicts,
)
from alvision.deploy.bundle.thresholds import (
    NEVER,
    ClassPromise,
    Overkill,
    SealedLots,
    Thresholds,
    read_thresholds,
    write_thresholds,
)

WHOLE = Thresholds(
    0.5,
    0.7,
    escape=0.05,
    confidence=0.95,
    defects=120,
    independent_defects=60,
    lots=SealedLots(80, 3),
    overkill=Overkill(0.0, 0.002),
    spent_confidence=0.95,
    human=0.1,
    defect_share=0.01,
)


def test_it_says_which_lots_it_is_about_and_how_many_sealed_parts_pass():
    text = promise(replace(WHOLE, escaped=("a", "b")))
    assert text.startswith("Catches at least 95 of 100 bad parts, 95 % sure;")
    assert "drawn from 120 of 80 lots, for lots with at most 3 defects" in text
    assert "2 of all 120 sealed defects pass" in text


def test_without_known_lots_it_says_so():
    singles = replace(WHOLE, defects=60, lots=SealedLots(60, 1))
    assert "60 independent sealed defects, no two of one known lot" in evidence(singles)
    assert "taken for independent" in evidence(replace(singles, independent=True))


def test_a_file_from_before_says_that_lots_counted_alike():
    before = replace(WHOLE, lots=None)
    assert catches(before) == (
        "Catches at least 95 of 100 bad parts, each lot counting alike, 95 % sure"
    )
    assert "of 100 bad parts, 95 % sure" in catches(replace(before, independent_defects=120))


def test_a_promise_that_the_sealed_parts_contradict_is_not_repeated():
    before = replace(WHOLE, lots=None, escaped=tuple("abcdefg"))
    text = promise(before)
    assert before.contradicted and "Catches" not in text
    assert "7 of the 120 sealed bad parts pass, more than the 5 of 100" in text


@pytest.mark.parametrize("uses", [1, 5, 17, 30, 45])
def test_a_confidence_is_never_rounded_up(uses):
    doubt = 0.05 / 2**uses
    said = percent_sure(1 - doubt)
    assert said != "100" and float(said) <= 100 * (1 - doubt)
    assert f"with {said} % confidence" in evidence(
        replace(WHOLE, spent_confidence=1 - doubt, reading=uses + 1)
    )


@pytest.mark.parametrize("score", [0.9999999999999982, 0.99996, 0.7, 0.00004, 3e-17])
def test_a_threshold_is_printed_apart_from_0_and_1_and_never_above_itself(score):
    assert 0 < float(cutoff(score)) <= score and len(cutoff(score)) < 20


def test_without_an_upper_threshold_nothing_is_rejected_in_words():
    for high in (NEVER, math.inf, WHOLE.low):
        said = verdicts(replace(WHOLE, high=high))
        assert "inf" not in said and "between" not in said and "reject from 2" not in said
    assert verdicts(replace(WHOLE, high=WHOLE.low, human=0.0, defect_share=None)) == (
        "reject from 0.5000"
    )


@pytest.mark.parametrize(("seen", "said"), [(0.004, "0.4"), (0.998, "99.8"), (1.0, "100")])
def test_a_share_that_was_seen_is_called_none_or_all_only_if_it_is(seen, said):
    text = promise(replace(WHOLE, overkill=Overkill(seen, 1.0)))
    assert f"about {said} of 100 good ones" in text


def test_a_limit_is_never_rounded_down():
    assert "at most 1, 95 % sure" in promise(WHOLE)
    assert [percent_at_most(share) for share in (0.07, 0.29, 0.291, 1.0)] == [7, 29, 30, 100]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (ClassPromise(60, True, 0), "proven for it alone too"),
        (ClassPromise(60, False, 0), "not proven for it alone"),
        (ClassPromise(6, None, 59), "too few for a promise of its own, 6"),
    ],
)
def test_a_class_by_itself(own, told):
    assert for_class(own).startswith(told)


def test_what_is_new_in_the_file_comes_back_and_older_files_keep_their_text(tmp_path):
    write_thresholds(tmp_path, "f00d", WHOLE)
    assert read_thresholds(tmp_path, "f00d") == replace(WHOLE, bundle="f00d")
    before = replace(WHOLE, lots=None, defect_share=None).to_json()
    assert "lots" not in before and "defect_share" not in before
    assert Thresholds.from_json(before).lots is None


def test_a_threshold_that_is_no_number_is_refused(tmp_path):
    write_thresholds(tmp_path, "f00d", replace(WHOLE, low=float("nan")))
    with pytest.raises(Exception, match="is damaged: write it again"):
        read_thresholds(tmp_path, "f00d")


def test_a_further_use_says_what_it_had_to_prove_and_how_sure_all_promises_are_together():
    further = replace(WHOLE, reading=3, spent_confidence=0.9875, joint_confidence=0.9125)
    assert evidence(further).endswith(
        "The sealed images were used 2 times before, so this use had to prove it with 98.75 % "
        "confidence; all promises that were made on them hold together with 91.2 %."
    )
    assert "together" not in evidence(replace(further, joint_confidence=None))
    assert "together" not in evidence(replace(further, joint_confidence=0.9875))
