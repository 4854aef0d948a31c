from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alvision.core.records import Event
from alvision.labels.consensus import Settled, answered, consensus, standing, taken_back
from alvision.labels.content import resolver
from tests.unit.labels.conftest import event, undo


def test_the_last_word_of_a_person_is_their_vote():
    log = [event("1", label="ok"), event("2", label="worn")]
    assert consensus(log) == {"a.png": Settled("worn", {"anna": "worn"}, conflict=False)}


def test_most_people_win_also_against_the_last_word():
    log = [
        event("1", label="ok"),
        event("2", label="ok", by="bert"),
        event("3", label="worn", by="cleo"),
    ]
    assert consensus(log)["a.png"] == Settled(
        "ok", {"anna": "ok", "bert": "ok", "cleo": "worn"}, conflict=False
    )


def test_a_tie_goes_to_the_class_said_last_and_is_a_conflict():
    log = [
        event("1", label="worn"),
        event("2", label="ok", by="bert"),
        event("3", label="ok", by="anna"),
        event("4", label="worn", by="anna"),
    ]
    assert consensus(log)["a.png"] == Settled("worn", {"bert": "ok", "anna": "worn"}, True)


def test_a_minority_that_spoke_last_does_not_break_a_tie_of_others():
    said = ["ok", "worn", "ok", "worn", "bent"]
    log = [event(str(i), label=label, by=str(i)) for i, label in enumerate(said)]
    assert consensus(log)["a.png"].label == "worn"


def test_unsure_and_skip_are_no_votes_for_a_class():
    log = [event("1", label="worn"), event("2", kind="unsure", by="bert")]
    assert consensus(log)["a.png"] == Settled("worn", {"anna": "worn"}, conflict=False)
    alone = [event("1", kind="skip"), event("2", id="b.png", kind="unsure")]
    assert consensus(alone) == {}
    assert answered(alone) == {"a.png", "b.png"}


def test_unsure_after_a_label_takes_the_vote_away():
    assert consensus([event("1", label="worn"), event("2", kind="unsure")]) == {}


def test_an_import_counts_only_where_no_person_spoke():
    imported = event("1", kind="import", label="ok", by="old table")
    assert consensus([imported])["a.png"].label == "ok"
    for word in (event("2", label="worn"), event("2", kind="unsure")):
        for log in ([imported, word], [word, imported]):
            settled = consensus(log).get("a.png")
            assert (settled and settled.label) == word.label
    assert answered([imported]) == {"a.png"}


def test_an_import_does_not_replace_what_the_same_name_said_as_a_person():
    log = [event("1", label="worn"), event("2", kind="import", label="ok", by="anna")]
    assert consensus(log)["a.png"].label == "worn"


def test_an_imported_skip_answers_without_a_class():
    log = [event("1", kind="import", label="skip")]
    assert (consensus(log), answered(log)) == ({}, {"a.png"})


def test_undo_brings_back_the_word_before():
    log = [event("1", label="ok"), event("2", label="worn"), undo("3", "2")]
    assert consensus(log)["a.png"].label == "ok"
    assert consensus([*log, undo("4", "1")]) == {}
    assert answered([*log, undo("4", "1")]) == set()


def test_an_undone_undo_is_none():
    log = [event("1", label="ok"), undo("2", "1"), undo("3", "2")]
    assert consensus(log)["a.png"].label == "ok"
    assert consensus([*log, undo("4", "3")]) == {}


def test_two_undos_of_one_word_are_one():
    log = [event("1"), undo("2", "1"), undo("3", "1")]
    assert consensus(log) == {}
    assert consensus([*log, undo("4", "3")]) == {}


def test_undos_in_a_ring_take_back_nothing():
    ring = [undo("1", "2"), undo("2", "1"), undo("3", "3")]
    assert taken_back(ring) == set()


def test_words_on_a_moved_image_count_together():
    log = [
        event("1", id="old.png", label="ok", sha256="f0"),
        event("2", id="new.png", label="worn", sha256="f0"),
        event("3", id="gone.png", label="worn", sha256="00"),
    ]
    resolve = resolver(["new.png"], {"new.png": "f0"})
    assert consensus(log, resolve) == {"new.png": Settled("worn", {"anna": "worn"}, False)}
    assert answered(log, resolve) == {"new.png"}


def test_words_stand_in_the_order_they_were_said():
    log = [event("1"), event("2", by="bert"), event("3")]
    assert [word.uuid for word in standing(log)["a.png"]] == ["2", "3"]


@st.composite
def logs(draw):
    """Draw words of three people on two images, and undos of anything, undos included."""
    count = draw(st.integers(1, 12))
    log = []
    for i in range(count):
        by = draw(st.sampled_from("abc"))
        if draw(st.booleans()):
            log.append(undo(str(i), str(draw(st.integers(0, count - 1))), by))
        else:
            kind = draw(st.sampled_from(["label", "skip", "unsure", "import"]))
            label = draw(st.sampled_from(["ok", "worn", "bent"]))
            log.append(event(str(i), draw(st.sampled_from(["x", "y"])), kind, label, by))
    return log


@given(logs(), st.randoms())
def test_it_does_not_matter_when_an_undo_is_delivered(log, random):
    words = [e for e in log if e.kind != "undo"]
    moved = list(words)
    for late in (e for e in log if e.kind == "undo"):
        moved.insert(random.randint(0, len(moved)), late)
    assert consensus(moved) == consensus(log)
    assert standing(moved) == standing(log)


def by_hand(log: list[Event]) -> dict[str, Settled]:
    """Settle a log by the definition, slowly: no undo is in a ring here."""

    def stands(event):
        return not any(e.kind == "undo" and e.target == event.uuid and stands(e) for e in log)

    settled = {}
    for id in {e.id for e in log}:
        words = [e for e in log if e.id == id and e.kind != "undo" and stands(e)]
        people = [e for e in words if e.kind != "import"] or words
        last = {by: [e for e in people if e.by == by][-1] for by in {e.by for e in people}}
        votes = sorted((e for e in last.values() if e.label), key=lambda e: int(e.uuid))
        counts = {e.label: sum(v.label == e.label for v in votes) for e in votes}
        if counts:
            best = [e.label for e in votes if counts[e.label] == max(counts.values())]
            said = {e.by: e.label for e in votes}
            settled[id] = Settled(best[-1], said, len(set(best)) > 1)
    return settled


@given(logs())
def test_it_agrees_with_the_definition(log):
    early = [
        replace(e, target=str(int(e.uuid) - 1)) if e.kind == "undo" else e for e in log
    ]  # an undo of the event before it: chains of undos, no rings
    assert consensus(early) == by_hand(early)


def test_a_settlement_goes_above_the_votes_until_it_is_taken_back():
    votes = [event("1", label="ok"), event("2", label="ok", by="bert")]
    settled = [*votes, event("3", kind="settle", label="worn", by="dora")]
    assert consensus(settled)["a.png"] == Settled(
        "worn", {"anna": "ok", "bert": "ok"}, conflict=False, by="dora"
    )
    later = [*settled, event("4", label="bent", by="cleo"), event("5", kind="settle", label="bent")]
    assert (consensus(later)["a.png"].label, consensus(later)["a.png"].by) == ("bent", "anna")
    assert consensus([*later, undo("6", "5")])["a.png"].by == "dora"
    assert consensus([*settled, undo("4", "3")]) == consensus(votes)
    alone = [event("1", kind="settle", label="worn")]
    assert (consensus(alone)["a.png"].votes, answered(alone)) == ({}, {"a.png"})


def test_what_is_said_beside_labels_is_no_word():
    log = [event("1", kind="flag", note="blurred"), event("2", "", kind="close")]
    assert standing(log) == {}
    assert answered(log) == set()
