from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.labels.boxes import boxes
from alvision.labels.classes import DEFECT, class_list, marks
from alvision.labels.consensus import consensus, standing, taken_back
from alvision.labels.guidelines import Entry, book, write
from alvision.labels.ledger import Ledger
from tests.unit.labels.conftest import event, undo

CLASSES = ["ok", "worn"]


def resolve(event):
    return {"old": "x", "gone": None}.get(event.id, event.id)


def ledger(store=None):
    return Ledger(store, resolve, CLASSES)


@st.composite
def logs(draw):
    """Draw everything that may be said of four ids of two images, undone at any time."""
    log = []
    count = draw(st.integers(1, 14))
    for number in range(1, count + 1):
        kind = draw(
            st.sampled_from(["label", "label", "undo", "undo", "unsure", "import", "settle",
                             "flag", "box", "add", "rename", "merge", "mark", "book"])
        )  # fmt: skip
        id = draw(st.sampled_from(["x", "y", "old", "gone"]))
        by, label = draw(st.sampled_from("ab")), draw(st.sampled_from(["ok", "worn", "bent"]))
        if kind == "undo":
            said = undo(str(number), str(draw(st.integers(1, count))), by)
        elif kind in ("add", "rename", "merge", "mark", "book"):
            target = draw(st.sampled_from(CLASSES)) if kind in ("rename", "merge") else None
            note = write(Entry(str(number))) if kind == "book" else None
            note = draw(st.sampled_from([DEFECT, "sound"])) if kind == "mark" else note
            said = event(str(number), "", kind, label, by, target=target, note=note)
        elif kind == "box":
            answer = str(draw(st.integers(1, count)))
            said = event(str(number), id, kind, None, by, target=answer, note=f"{number},0,1,1")
        else:
            said = event(str(number), id, kind, label, by)
        log.append(replace(said, number=number))
    return log


@given(logs(), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_bit_by_bit_it_says_what_the_whole_log_says(log, random):
    followed = ledger()
    at = 0
    while at < len(log):
        step = random.randint(1, 4)
        followed.take(log[at : at + step])
        at = min(at + step, len(log))
        so_far = log[:at]
        assert followed.standing == standing(so_far, resolve)
        assert followed.settled == consensus(so_far, resolve)
        assert followed.classes == class_list(CLASSES, so_far)
        assert followed.book == book(so_far)
        assert followed.marks == marks(so_far)
        back = taken_back(so_far)
        flags = {e.uuid for e in so_far if e.kind == "flag" and resolve(e) and e.uuid not in back}
        assert {e.uuid for found in followed.flags.values() for e in found} == flags
        assert followed.boxes == boxes(so_far, resolve)
        assert followed.pin == at


def test_it_reads_what_is_new(store):
    followed = ledger(store)
    assert followed.refresh() == ()
    store.append([event("1", "x")], hash_of=lambda id: None)
    assert [e.uuid for e in followed.refresh()] == ["1"]
    store.append([undo("2", "1"), event("3", "y")], hash_of=lambda id: None)
    assert [e.uuid for e in followed.refresh()] == ["2", "3"]
    assert (followed.standing.keys(), followed.pin) == ({"y"}, 3)
    assert followed.by_uuid["3"].id == "y"
