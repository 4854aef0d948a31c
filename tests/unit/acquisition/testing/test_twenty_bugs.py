"""Twenty bugs of published systems: our form passes the test that the faulty form fails."""

import pytest

from tests.unit.acquisition import (
    bugs_of_batches,
    bugs_of_loops,
    bugs_of_networks,
    bugs_of_strategies,
)

BUGS = [
    *bugs_of_strategies.BUGS,
    *bugs_of_batches.BUGS,
    *bugs_of_networks.BUGS,
    *bugs_of_loops.BUGS,
]


def name(bug):
    return f"{bug[0]:02d} {bug[1]}"


def test_all_twenty_are_here():
    assert {bug[0] for bug in BUGS} == set(range(1, 21))


def marked(bug):
    """Our form of these is a configured strategy, which `test_conformance` checks as well."""
    again = bug[-1] is bugs_of_strategies.conforms
    return pytest.param(bug, marks=[pytest.mark.slow] if again else [], id=name(bug))


@pytest.mark.parametrize("bug", [marked(bug) for bug in BUGS])
def test_our_form_passes(bug, tmp_path):
    _, _, ours, _, test = bug
    test(ours, tmp_path)


@pytest.mark.parametrize("bug", BUGS, ids=name)
def test_the_faulty_form_is_rejected(bug, tmp_path):
    _, _, _, faulty, test = bug
    with pytest.raises(AssertionError):
        test(faulty, tmp_path)
