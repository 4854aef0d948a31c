from hypothesis import given
from hypothesis import strategies as st

from alvision.core.records import Query, QueryRow
from alvision.labels.consensus import Settled, consensus
from alvision.labels.content import changed, located, locator, moves, resolver
from tests.unit.labels.conftest import event


def labelled(id, sha256):
    return event(f"{id} {sha256}", id=id, sha256=sha256)


def test_exact_copies_are_one_image():
    resolve = resolver(["a", "b", "c"], {"a": "f0", "b": "f0", "c": "f1"})
    assert [resolve(labelled(id, "f0")) for id in "ab"] == ["a", "a"]
    assert resolve(labelled("b", None)) == "a"


def test_a_copy_in_the_pool_speaks_for_a_held_out_one():
    resolve = resolver(["a", "b", "c"], dict.fromkeys("abc", "f0"), pool=["c", "b"])
    assert [resolve(labelled(id, "f0")) for id in "abc"] == ["b", "b", "b"]


def test_contradictory_words_on_copies_are_one_conflict_and_one_class():
    resolve = resolver(["a", "b"], {"a": "f0", "b": "f0"})
    log = [
        event("1", id="a", label="ok", by="anna", sha256="f0"),
        event("2", id="b", label="worn", by="bert", sha256="f0"),
    ]
    assert consensus(log, resolve) == {
        "a": Settled("worn", {"anna": "ok", "bert": "worn"}, conflict=True)
    }


def test_a_moved_image_takes_its_label_along_to_the_lowest_id():
    resolve = resolver(["z", "b", "c"], {"z": "f0", "b": "f0", "c": "f1"})
    assert resolve(labelled("old", "f0")) == "b"


def test_two_images_that_changed_names_change_labels():
    resolve = resolver(["a", "b"], {"a": "f1", "b": "f0"})
    assert (resolve(labelled("a", "f0")), resolve(labelled("b", "f1"))) == ("b", "a")


def test_changed_and_removed_images_have_no_label():
    resolve = resolver(["a"], {"a": "f1"})
    assert (resolve(labelled("a", "f0")), resolve(labelled("gone", "f0"))) == (None, None)


def test_without_a_hash_the_id_decides():
    resolve = resolver(["a", "b"], {"a": "f1"})
    assert resolve(labelled("a", None)) == "a"
    assert resolve(labelled("b", "f0")) == "b"
    assert resolve(labelled("gone", None)) is None


def test_hashes_of_images_that_are_not_asked_about_do_not_count():
    assert resolver(["b"], {"a": "f0", "b": "f1"})(labelled("a", "f0")) is None


IDS = st.sampled_from("abcd")
SHAS = st.sampled_from(["f0", "f1", "f2"])


@given(st.sets(IDS), st.dictionaries(IDS, SHAS), IDS, SHAS | st.none())
def test_a_label_never_lands_on_other_bytes(ids, hashes, id, sha256):
    found = resolver(ids, hashes)(labelled(id, sha256))
    assert found is None or found in ids
    if found is not None and sha256 is not None:
        assert hashes.get(found, sha256) == sha256
    if any(hashes.get(known) == sha256 for known in ids):
        assert found is not None or sha256 is None


def test_changed_images_are_told_until_they_are_labelled_again():
    log = [labelled("a", "f0"), labelled("b", "f1"), labelled("gone", "f2")]
    hashes = {"a": "new", "b": "f1"}
    assert changed(log, ["a", "b"], hashes) == ["a"]
    assert changed([*log, labelled("a", "new")], ["a", "b"], hashes) == []
    assert changed(log, ["a", "b", "c"], {**hashes, "c": "f0"}) == []


def test_a_query_goes_on_under_the_ids_of_today():
    rows = [("moved", "f0"), ("same", "f1"), ("replaced", "f2"), ("gone", "f3"), ("copy", "f0")]
    query = Query(3, tuple(QueryRow(id, rank, sha256=sha) for rank, (id, sha) in enumerate(rows)))
    today = {"new": "f0", "same": "f1", "replaced": "f9"}
    found = located(query, locator(today, today))
    assert [(row.id, row.rank) for row in found.rows] == [("new", 0), ("same", 1)]
    assert found.round == 3


def test_a_query_of_an_older_version_goes_by_its_ids():
    query = Query(0, (QueryRow("there", 0), QueryRow("gone", 1)))
    assert located(query, locator(["there"], {"there": "f0"})).ids == ("there",)


def test_what_became_of_images_is_said_in_one_line():
    before = [("moved", "f0"), ("same", "f1"), ("replaced", "f2"), ("gone", "f3"), ("gone", "f3")]
    found = moves(
        before, ["new", "same", "replaced"], {"new": "f0", "same": "f1", "replaced": "f9"}
    )
    assert (found.moved, found.replaced, found.gone) == (1, 1, 1)
    assert str(found) == (
        "1 photograph was moved and keeps its answers; 1 photograph was replaced and is asked "
        "again; 1 photograph is gone, its answers are kept"
    )
    assert str(moves(before[1:2], ["same"], {"same": "f1"})) == ""


def test_an_image_that_cannot_be_read_now_is_not_taken_for_another():
    assert str(moves([("a", "f0")], ["a"], {})) == ""
