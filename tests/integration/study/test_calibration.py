"""On studies whose truth is known, the statistics hold what they say."""

import sys

import pytest

from tests.support import PROJECT

sys.path.append(str(PROJECT / "scripts"))
from calibrate_study import KINDS, measure


def sparse(kind, seeds, others, studies, record_property):
    """Count claims on studies of nothing; return the counts."""
    counts = measure(kind, seeds, others, studies)
    record_property("studies", studies)
    record_property("false claims", counts.claims)
    record_property("false claims of the matrix", counts.matrix_claims)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "others"), [(6, 1), (12, 2)])
def test_nothing_is_claimed_of_nothing_and_intervals_cover(seeds, others, record_property):
    counts = sparse("normal", seeds, others, 120, record_property)
    # Of 120 studies at the level of .05, more than 12 claim something in 1 of 100 such trials.
    assert counts.claims <= 12
    assert counts.matrix_claims <= 12
    assert all(counts.share(name) >= 0.89 for name in ("difference", "ratio", "band"))


@pytest.mark.slow
def test_intervals_cover_with_three_seeds():
    counts = measure("normal", 3, 1, 100)
    assert counts.claims == 0
    assert all(counts.share(name) >= 0.88 for name in ("difference", "ratio", "band"))


@pytest.mark.slow
def test_what_is_said_to_be_detectable_is_detected():
    counts = measure("normal", 8, 2, 80, planted=True)
    assert 0.66 <= counts.share("found") <= 0.94
    assert counts.share("difference") >= 0.88


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("seeds", "others"), [(6, 1), (8, 4), (12, 4), (16, 4)])
def test_over_many_studies_of_nothing(kind, seeds, others, record_property):
    counts = sparse(kind, seeds, others, 1000, record_property)
    assert counts.claims <= 67  # 50 and 2.5 standard deviations
    if kind == "normal":
        assert counts.matrix_claims <= 67
        assert all(counts.share(name) >= 0.93 for name in ("difference", "ratio", "band"))
    planted = measure(kind, seeds, others, 300, planted=True)
    record_property("planted", 300)
    record_property("found", planted.found)
    assert planted.share("found") >= 0.7
