"""Waiting for people, without a clock: what would be said meanwhile is said while it sleeps."""

import uuid

import pytest

from alvision.core.records import AwaitingLabels, Event, Query, QueryRow
from alvision.labels.content import locator, resolver
from alvision.labels.presence import Presence
from alvision.labels.store import LabelStore
from alvision.oracles.page import ClassesChanged, ImagesChanged, PageOracle

IDS = ("a.png", "b.png")
QUERY = Query(2, tuple(QueryRow(id, rank) for rank, id in enumerate(IDS)))


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.db", shared=True) as store:
        yield store


def oracle(
    store,
    says=(),
    *,
    votes=1,
    defects=(),
    wait=True,
    changed=lambda ids: False,
    meanwhile=lambda query: iter(()),
):
    """Return an oracle and how often it slept; at each sleep the next of `says` is said."""
    waiting = list(says)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        assert waiting, "it waits although nothing more will be said"
        say(store, waiting.pop(0))

    made = PageOracle(
        store, resolver(IDS, {}), locator(IDS, {}), classes=("ok", "worn"), defects=defects,
        votes=votes, changed=changed, meanwhile=meanwhile, wait=wait, sleep=sleep,
    )  # fmt: skip
    return made, slept


def say(store, event):
    store.append([event], hash_of=lambda id: None)


def word(id, kind="label", by="ann", round=2, **fields):
    label = "ok" if kind == "label" else None
    return Event(id, kind, label, by, round, str(uuid.uuid4()), **fields)


def test_it_waits_for_every_row_and_brings_nothing_itself(store):
    made, slept = oracle(store, [word("a.png"), word("b.png", "unsure")])
    assert made(QUERY) == []
    assert len(slept) == 2


def test_an_undo_makes_it_wait_again(store):
    first = word("a.png")
    made, slept = oracle(
        store,
        [first, word("", "undo", target=first.uuid), word("b.png"), word("a.png")],
    )
    made(QUERY)
    assert len(slept) == 4


def test_a_skip_counts_where_everyone_present_has_spoken(store):
    made, _ = oracle(store, [word("a.png", "skip"), word("b.png", "skip")])
    Presence(store).seen("ann")
    made(QUERY)
    made, _ = oracle(store, wait=False)
    Presence(store).seen("bo")
    with pytest.raises(AwaitingLabels, match="2 of 2 images"):
        made(QUERY)


def test_train_now_ends_the_round_that_it_names(store):
    say(store, word("", "close", round=1))
    made, slept = oracle(store, [word("", "close", round=2)])
    made(QUERY)
    assert len(slept) == 1


def test_with_two_votes_it_waits_for_two_people(store):
    says = [word(id, by=by) for by in ("ann", "bo") for id in IDS]
    made, slept = oracle(store, says, votes=2)
    made(QUERY)
    assert len(slept) == 4


def test_a_new_class_builds_the_run_anew(store):
    made, _ = oracle(store, [Event("", "add", "dent", "ann", 0, str(uuid.uuid4()))])
    with pytest.raises(ClassesChanged, match="'dent', which classes= does not name"):
        made(QUERY)


@pytest.mark.parametrize("defects, note", [((), "defect"), (("worn",), "sound")])
def test_a_mark_that_changes_the_defects_builds_the_run_anew(store, defects, note):
    mark = Event("", "mark", "worn", "ann", 0, str(uuid.uuid4()), note=note)
    made, _ = oracle(store, [mark], defects=defects)
    with pytest.raises(ClassesChanged, match="people have changed whether 'worn' is a defect"):
        made(QUERY)
    after = ("worn",) if note == "defect" else ()
    made, _ = oracle(store, [word("a.png"), word("b.png")], defects=after)
    assert made(QUERY) == []


def test_it_works_while_it_waits(store):
    done = []

    def meanwhile(query):
        for piece in range(3):
            done.append(piece)
            yield

    made, slept = oracle(store, [word("a.png"), word("b.png")], meanwhile=meanwhile)
    made(QUERY)
    assert done == [0, 1, 2]
    assert len(slept) == 2


def test_an_empty_batch_is_done(store):
    made, slept = oracle(store)
    assert made(Query(0)) == []
    assert slept == []


def test_nobody_is_waited_for_where_a_photograph_is_gone_or_another(store):
    rows = (
        QueryRow("old.png", 0, sha256="f0"),
        QueryRow("b.png", 1, sha256="f1"),
        QueryRow("gone.png", 2, sha256="f2"),
    )
    hashes = {"a.png": "f0", "b.png": "f9"}
    made = PageOracle(
        store, resolver(IDS, hashes), locator(IDS, hashes), classes=("ok", "worn"), votes=1,
        changed=lambda ids: False, meanwhile=lambda query: iter(()), wait=False,
    )  # fmt: skip
    with pytest.raises(AwaitingLabels, match="1 of 1 images"):
        made(Query(2, rows))
    store.append([word("a.png")], hash_of=hashes.get)
    assert made(Query(2, rows)) == []


def test_a_photograph_that_changes_while_it_waits_builds_the_run_anew(store):
    asked = []

    def changed(ids):
        asked.append(list(ids))
        return len(asked) > 1

    made, slept = oracle(store, [word("a.png")] + [word("a.png")] * 60, changed=changed)
    with pytest.raises(ImagesChanged):
        made(QUERY)
    assert asked == [["a.png", "b.png"], ["b.png"]]
    assert 1 < len(slept) < 60


def test_an_image_that_is_asked_again_waits_for_an_answer_of_its_round(store):
    say(store, word("a.png", round=1))
    query = Query(2, (QueryRow("a.png", 0, slot="relabel"),))
    made, slept = oracle(store, [word("a.png", round=1, by="bert"), word("a.png", round=2)])
    assert made(query) == []
    assert len(slept) == 2
