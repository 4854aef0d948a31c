from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.core.records import Event
from alvision.labels.consensus import answered, consensus
from alvision.labels.exchange.csv_file import (
    export_labels,
    export_votes,
    import_labels,
    restore,
)
from alvision.labels.exchange.import_answers import ImportCounts
from alvision.labels.store import LabelStore
from tests.unit.labels.conftest import event, undo

IDS = ("a.png", "b.png", "sub/ü.png")
HASHES = {id: f"sha of {id}" for id in IDS}
CLASSES = ["ok", "worn"]
TIME = "2026-03-02T09:30:00.000Z"


def bring(store, path, text=None, **changes):
    if text is not None:
        path.write_text(text, encoding="utf-8", newline="")
    known = {"ids": IDS, "hashes": HASHES, "classes": CLASSES} | changes
    return import_labels(store, path, **known)


def labels(store):
    return {id: settled.label for id, settled in consensus(store.events()).items()}


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
NAME = TEXT.filter(str.strip)


@st.composite
def logs(draw):
    """Draw a log with any text in its cells."""
    log = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        kind = draw(st.sampled_from(["label", "skip", "unsure", "undo", "import"]))
        log.append(
            Event(
                id=draw(NAME),
                kind=kind,
                label=draw(NAME) if kind in ("label", "import") else None,
                by=draw(TEXT),
                round=draw(st.integers(0, 99)),
                uuid=f"{number}{draw(TEXT)}",
                seconds=draw(st.none() | st.floats(0, 1e6)),
                number=number,
                target=draw(NAME) if kind == "undo" else None,
                sha256=draw(st.none() | NAME),
                time=draw(st.none() | st.just(TIME)),
            )
        )
    return log


@pytest.mark.slow
@given(logs())
@example([Event("a", "skip", None, "", 0, "1", seconds=0.0, number=1)])
@settings(max_examples=12)
def test_any_log_goes_out_and_in_again(tmp_path_factory, log):
    folder = tmp_path_factory.mktemp("round")
    with LabelStore(folder / "1.db") as store, LabelStore(folder / "2.db") as other:
        store.append(log, hash_of=lambda id: None)
        assert export_labels(store, folder / "out.csv") == len(log)
        known = {
            "ids": [e.id for e in log],
            "hashes": {},
            "classes": [e.label for e in log if e.label],
        }
        assert bring(other, folder / "out.csv", **known) == ImportCounts(len(log), 0, 0)
        assert other.events() == store.events() == tuple(log)
        assert bring(other, folder / "out.csv", **known) == ImportCounts(0, len(log), 0)
        assert other.events() == tuple(log)


def test_the_exported_form(store, tmp_path):
    said = replace(event("u1", label="worn", sha256="f0"), seconds=1.5, round=3, time=TIME)
    store.append([said, undo("u2", "u1")], hash_of=lambda id: None)
    export_labels(store, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines() == [
        "event,id,kind,label,by,round,seconds,uuid,target,sha256,note,book,time",
        f"1,a.png,label,worn,anna,3,1.5,u1,,f0,,,{TIME}",
        "2,a.png,undo,,anna,0,,u2,u1,,,,",
    ]


def test_times_come_along_and_go_out_again(store, tmp_path):
    text = "id,label,by,time\na.png,ok,anna,2026-03-02 10:30:00+01:00\nb.png,worn,anna,\n"
    bring(store, tmp_path / "t.csv", text)
    assert [event.time for event in store.events()] == ["2026-03-02T09:30:00.000Z", None]
    export_votes(store, tmp_path / "votes.csv")
    with LabelStore(tmp_path / "other.db") as other:
        bring(other, tmp_path / "votes.csv")
        assert [event.time for event in other.events()] == [e.time for e in store.events()]
    with pytest.raises(UserError, match=r"row 2: time 'noon' is not when"):
        bring(store, tmp_path / "t.csv", "id,label,time\na.png,worn,noon\n")
    assert store.last() == 2


def test_an_export_of_an_earlier_version_has_no_times(store, tmp_path):
    text = (
        "event,id,kind,label,by,round,seconds,uuid,target,sha256,note,book\n"
        "1,a.png,label,worn,anna,0,,u1,,f0,,\n"
    )
    (tmp_path / "log.csv").write_text(text)
    assert restore(store, tmp_path / "log.csv") == 1
    assert bring(store, tmp_path / "log.csv") == ImportCounts(0, 1, 0)
    assert [(e.label, e.time) for e in store.events()] == [("worn", None)]


def test_copies_are_imported_once_and_may_not_contradict(store, tmp_path):
    copies = {"a.png": "f0", "b.png": "f0"}
    table = tmp_path / "t.csv"
    text = "id,label\na.png,ok\nb.png,ok\n"
    assert bring(store, table, text, hashes=copies) == ImportCounts(1, 1, 0)
    assert bring(store, table, "id,label\nb.png,ok\n", hashes=copies) == ImportCounts(0, 1, 0)
    with pytest.raises(UserError, match=r"a\.png and b\.png are the same picture, but import"):
        bring(store, table, "id,label\na.png,ok\nb.png,worn\n", hashes=copies)
    assert store.last() == 1


def test_a_plain_table_becomes_imports(store, tmp_path):
    text = "\ufeffid;label;note\r\na.png; Worn ;x\r\nsub\\ü.png;skip;\r\n./b.png;;\r\n"
    assert bring(store, tmp_path / "t.csv", text, by="shop") == ImportCounts(2, 0, 1)
    assert labels(store) == {"a.png": "worn"}
    assert answered(store.events()) == {"a.png", "sub/ü.png"}
    assert [(e.kind, e.label, e.by, e.round, e.sha256) for e in store.events()] == [
        ("import", "worn", "shop", 0, "sha of a.png"),
        ("import", "skip", "shop", 0, "sha of sub/ü.png"),
    ]


def test_the_column_may_be_called_path(store, tmp_path):
    bring(store, tmp_path / "t.csv", "Path,Label\nb.png,ok\n")
    assert labels(store) == {"b.png": "ok"}


def test_importing_twice_adds_nothing(store, tmp_path):
    text = "id,label\na.png,ok\nb.png,unsure\n"
    bring(store, tmp_path / "t.csv", text)
    assert bring(store, tmp_path / "t.csv") == ImportCounts(0, 2, 0)
    assert len(store.events()) == 2


def test_a_word_that_comes_back_counts_again(store, tmp_path):
    for word in ("ok", "worn", "ok", "skip", "ok"):
        counts = bring(store, tmp_path / "t.csv", f"id,label\na.png,{word}\n")
        assert counts == ImportCounts(1, 0, 0)
        assert labels(store) == ({} if word == "skip" else {"a.png": word})


def test_an_import_that_was_taken_back_can_be_made_again(store, tmp_path):
    bring(store, tmp_path / "t.csv", "id,label\na.png,ok\n")
    store.append([undo("u", store.events()[0].uuid)], hash_of=HASHES.get)
    assert labels(store) == {}
    bring(store, tmp_path / "t.csv")
    assert labels(store) == {"a.png": "ok"}


def test_a_moved_image_is_not_imported_again(store, tmp_path):
    store.append([event("1", "old.png", "import", by="import")], hash_of={"old.png": "f0"}.get)
    moved = {"ids": ["new.png"], "hashes": {"new.png": "f0"}}
    assert bring(store, tmp_path / "t.csv", "id,label\nnew.png,ok\n", **moved).added == 0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("x.png,ok\ny.png,ok\na.png,ok", "2 rows name images .*first: 'x.png', 'y.png'"),
        ("a.png,ok\nb.png,bent", "row 3: 'bent' is not one of ok, worn, skip, unsure"),
        ("a.png,ok\n a.png,worn", "row 3: a.png has another label in an earlier row"),
        ("a.png,ok\nb.png,wo,rn", "row 3: more cells"),
        ("a.png,ok;worn", r"row 2: 'ok;worn' names several classes \(ok, worn\).* keep one"),
    ],
)
def test_a_wrong_row_imports_nothing(store, tmp_path, rows, told):
    with pytest.raises(UserError, match=told):
        bring(store, tmp_path / "t.csv", f"id,label\n{rows}\n")
    assert store.events() == ()


@pytest.mark.parametrize("header", ["id,class", "name,label", ""])
def test_a_missing_column_is_named(store, tmp_path, header):
    with pytest.raises(UserError, match=r"no column (id|label)"):
        bring(store, tmp_path / "t.csv", header)


def exported(store, tmp_path, edit=lambda text: text):
    """Export a log of two words into a fresh table, changed by `edit`."""
    with LabelStore(tmp_path / "source.db") as source:
        source.append([event("u1"), event("u2", "b.png", label="worn")], hash_of=HASHES.get)
        export_labels(source, tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    return bring(store, tmp_path / "out.csv", edit(text))


def test_a_restored_event_is_added_once_to_a_store_with_others(store, tmp_path):
    store.append([event("u2", "b.png", label="worn")], hash_of=HASHES.get)
    assert exported(store, tmp_path) == ImportCounts(1, 1, 0)
    assert [(e.number, e.uuid) for e in store.events()] == [(1, "u2"), (2, "u1")]


def test_a_moved_image_is_known_by_its_bytes(store, tmp_path):
    counts = exported(store, tmp_path, lambda text: text.replace("1,a.png", "1,earlier.png"))
    assert counts.added == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("label,worn", "label,bent", "row 3: 'bent' is not a class"),
        ("label,worn", "label,skip", "row 3: 'skip' is not a class"),
        ("label,worn", "skip,worn", "row 3: a skip event with label 'worn'"),
        ("label,worn", "rename,worn", "row 3: a rename event with target None"),
        ("anna,0", "anna,first", "row 2: round, seconds or book"),
        ("sha256", "hash", "no column sha256"),
        ("u2", "", "row 3: .*uuid"),
        ("1,a.png,label,ok,anna,0,,u1,,sha of a.png", "1,x,label,ok,anna,0,,u1,,0", "1 rows name"),
    ],
)
def test_a_broken_export_imports_nothing(store, tmp_path, old, new, told):
    with pytest.raises(UserError, match=told):
        exported(store, tmp_path, lambda text: text.replace(old, new))
    assert store.events() == ()


def test_an_export_is_not_a_form_to_edit(store, tmp_path):
    exported(store, tmp_path)
    with pytest.raises(UserError, match="row 3: differs from the stored event"):
        exported(store, tmp_path, lambda text: text.replace("worn", "ok"))
    assert labels(store) == {"a.png": "ok", "b.png": "worn"}


def test_counts_in_words():
    assert str(ImportCounts(2, 1, 0)) == "2 added, 1 known already, 0 without a label"


@pytest.mark.slow
@given(st.data())
@settings(max_examples=25)
def test_votes_go_out_and_give_the_same_consensus_elsewhere(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("votes")
    names = st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=6
    )
    ids = data.draw(st.lists(names.filter(str.strip), min_size=1, max_size=3, unique=True))
    usable = names.filter(lambda name: name == name.strip() and name not in ("skip", "unsure"))
    fold = str.casefold
    classes = data.draw(st.lists(usable, min_size=2, max_size=3, unique_by=fold))
    people = data.draw(st.lists(names, min_size=1, max_size=3, unique=True))
    log = [
        event(f"{id} {by}", id, kind, data.draw(st.sampled_from(classes)), by)
        for id in ids
        for by in people
        for kind in [data.draw(st.sampled_from(["label", "label", "skip", "unsure"]))]
    ]
    with LabelStore(folder / "1.db") as store, LabelStore(folder / "2.db") as other:
        store.append(log, hash_of=lambda id: None)
        assert export_votes(store, folder / "votes.csv") == len(log)
        known = {"ids": ids, "hashes": {}, "classes": classes}
        assert bring(other, folder / "votes.csv", **known).added == len(log)
        assert consensus(other.events()) == consensus(store.events())
        assert bring(other, folder / "votes.csv", **known).added == 0


def test_rows_of_several_people_are_several_votes(store, tmp_path):
    text = "id,label,by\na.png,ok,anna\na.png,worn,bert\na.png,worn,cleo\nb.png,ok,\n"
    assert bring(store, tmp_path / "t.csv", text, by="shop").added == 4
    assert consensus(store.events())["a.png"].votes == {
        "anna": "ok",
        "bert": "worn",
        "cleo": "worn",
    }
    assert consensus(store.events())["b.png"].votes == {"shop": "ok"}


def test_merged_classes_leave_as_one(store, tmp_path):
    log = [event("1", label="worn"), event("2", "", "merge", "worn", target="ok")]
    store.append(log, hash_of=HASHES.get)
    export_votes(store, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "a.png,ok,anna,ok,"


def test_events_about_classes_are_restored_with_their_classes(store, tmp_path):
    log = [event("1", "", "add", "bent"), event("2", label="bent")]
    with LabelStore(tmp_path / "source.db") as source:
        source.append(log, hash_of=HASHES.get)
        export_labels(source, tmp_path / "out.csv")
    assert bring(store, tmp_path / "out.csv").added == 2
