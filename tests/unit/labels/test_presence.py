from concurrent.futures import ThreadPoolExecutor

import pytest

from alvision.labels.presence import Leases, Presence
from tests.unit.labels.conftest import event


@pytest.fixture
def leases(open_store):
    """Return leases of 10 seconds, and their clock: a list with the time."""
    now = [1000.0]
    return Leases(open_store(), seconds=10, clock=lambda: now[0], steady=lambda: now[0]), now


def once(*ids):
    return [(id, 1) for id in ids]


def test_nobody_gets_what_another_holds(leases):
    leases, _ = leases
    assert leases.held() == {}
    assert leases.take("anna", once("a", "b", "c"), n=2) == ["a", "b"]
    assert leases.take("bert", once("a", "b", "c", "d"), n=2) == ["c", "d"]
    assert leases.take("cleo", once("a", "b"), n=2) == []
    assert leases.held() == {"a": {"anna"}, "b": {"anna"}, "c": {"bert"}, "d": {"bert"}}


def test_as_many_may_hold_an_image_as_answers_are_lacking(leases):
    leases, _ = leases
    assert [leases.take(by, [("a", 2)], n=1) for by in ("anna", "bert", "cleo")] == [
        ["a"],
        ["a"],
        [],
    ]
    assert leases.held() == {"a": {"anna", "bert"}}


def test_what_a_person_holds_comes_first_again(leases):
    leases, now = leases
    leases.take("anna", once("a"), n=1)
    assert leases.take("bert", once("a", "b"), n=1) == ["b"]
    leases.give_back("anna")
    assert leases.take("bert", once("a", "b"), n=1) == ["b"]
    now[0] += 6
    assert leases.take("bert", once("a", "b", "c"), n=2) == ["b", "a"]
    now[0] += 6
    assert leases.take("cleo", once("b"), n=1) == [], "taking it again renewed it"


def test_a_lease_ends_by_itself_unless_it_is_renewed(leases):
    leases, now = leases
    leases.take("anna", once("a"), n=1)
    now[0] += 9
    leases.renew("anna")
    now[0] += 9
    assert leases.take("bert", once("a"), n=1) == []
    now[0] += 1
    assert leases.held() == {}
    assert leases.take("bert", once("a"), n=1) == ["a"]


def test_one_image_or_all_can_be_given_back(leases):
    leases, _ = leases
    leases.take("anna", once("a", "b", "c"), n=3)
    leases.give_back("anna", "b")
    assert set(leases.held()) == {"a", "c"}
    leases.give_back("anna")
    assert leases.held() == {}


def test_an_image_spoken_on_since_it_was_wanted_is_passed_over(open_store):
    store = open_store()
    store.append([event("1", "a"), event("2", "b")], hash_of=lambda id: None)
    leases = Leases(store)
    assert leases.take("anna", once("a", "b"), n=2, pin=1) == ["a"]
    assert leases.take("anna", once("a", "b"), n=2, pin=2) == ["a", "b"]


def test_at_once_nobody_gets_the_same(open_store):
    ids = [f"{i}.png" for i in range(40)]
    store = open_store()
    with ThreadPoolExecutor(4) as pool:
        taken = pool.map(lambda by: Leases(store).take(by, once(*ids), n=10), "abcd")
        assert sorted(id for mine in taken for id in mine) == sorted(ids)


def test_whoever_was_not_seen_for_a_while_is_gone(open_store):
    now = [1000.0]
    presence = Presence(open_store(), seconds=10, clock=lambda: now[0], steady=lambda: now[0])
    assert presence.here() == set()
    presence.seen("anna")
    now[0] += 6
    presence.seen("bert")
    presence.seen("bert")
    assert presence.here() == {"anna", "bert"}
    now[0] += 6
    assert presence.here() == {"bert"}
    presence.left("bert")
    assert presence.here() == set()


@pytest.fixture
def clocks():
    """Return two clocks to set: that of the machine, and one that only grows."""
    now = {"clock": 1_000_000.0, "steady": 50.0}
    return now, {name: lambda name=name: now[name] for name in now}


def passes(now, seconds):
    for name in now:
        now[name] += seconds


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_presence_survives_a_clock_that_is_set(open_store, clocks, jump):
    now, both = clocks
    presence = Presence(open_store(), seconds=60, **both)
    presence.seen("anna")
    presence.seen("bert")
    assert presence.here() == {"anna", "bert"}
    now["clock"] += jump
    assert presence.here() == {"anna", "bert"}, "nobody is gone at once"
    passes(now, 40)
    presence.seen("anna")
    assert presence.here() == {"anna", "bert"}
    passes(now, 40)
    assert presence.here() == {"anna"}, "nobody stays for ever"
    passes(now, 60)
    assert presence.here() == set()


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_leases_survive_a_clock_that_is_set(open_store, clocks, jump):
    now, both = clocks
    leases = Leases(open_store(), seconds=90, **both)
    leases.take("anna", once("a", "b"), n=1)
    leases.held()
    now["clock"] += jump
    assert leases.take("bert", once("a"), n=1) == []
    passes(now, 60)
    leases.renew("anna")
    passes(now, 60)
    assert leases.held() == {"a": {"anna"}}
    passes(now, 31)
    assert leases.held() == {}
    assert leases.take("bert", once("a"), n=1) == ["a"]


def test_whoever_starts_after_the_clock_was_set_back_waits_a_minute_at_most(open_store, clocks):
    now, both = clocks
    Presence(open_store(), seconds=60, **both).seen("anna")
    now["clock"] -= 86400
    later = Presence(open_store(), seconds=60, **both)
    assert later.here() == {"anna"}
    passes(now, 61)
    assert later.here() == set()


def test_a_row_that_changed_unseen_is_no_older_than_the_last_look(open_store, clocks):
    now, both = clocks
    here, there = (Presence(open_store(), seconds=60, **both) for _ in range(2))
    there.seen("anna")
    assert here.here() == {"anna"}
    passes(now, 100)
    there.seen("anna")
    passes(now, 59)
    assert here.here() == {"anna"}
    passes(now, 1)
    assert here.here() == set(), "the shared clock says when it was written"
