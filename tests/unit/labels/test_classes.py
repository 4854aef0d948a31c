from hypothesis import given
from hypothesis import strategies as st

from alvision.labels.classes import DEFECT, SOUND, class_list, marked, marks
from alvision.labels.consensus import consensus, merges
from tests.unit.labels.conftest import event, undo


def add(uuid, name):
    return event(uuid, "", "add", name)


def rename(uuid, name, shown):
    return event(uuid, "", "rename", name, target=shown)


def merge(uuid, source, target):
    return event(uuid, "", "merge", source, target=target)


def test_the_configured_classes_keep_their_order_and_new_ones_follow():
    classes = class_list(["worn", "ok"], [add("1", "bent"), add("2", "ok"), add("3", "bent")])
    assert classes.keys == classes.open == ("worn", "ok", "bent")
    assert classes.shown == {"worn": "worn", "ok": "ok", "bent": "bent"}


def test_a_rename_changes_what_is_shown_and_nothing_else():
    log = [rename("1", "worn", "abraded"), rename("2", "worn", "frayed"), rename("3", "x", "y")]
    classes = class_list(["ok", "worn"], log)
    assert classes.keys == ("ok", "worn")
    assert classes.shown["worn"] == "frayed"
    assert consensus([*log, event("4", label="worn")])["a.png"].label == "worn"


def test_merged_classes_count_as_one():
    log = [
        event("1", label="scratch"),
        event("2", label="scuff", by="bert"),
        event("3", label="ok", by="cleo"),
    ]
    assert consensus(log)["a.png"].conflict
    merged = [*log, merge("4", "scuff", "scratch")]
    settled = consensus(merged)["a.png"]
    assert (settled.label, settled.conflict) == ("scratch", False)
    assert settled.votes == {"anna": "scratch", "bert": "scratch", "cleo": "ok"}
    classes = class_list(["ok", "scratch", "scuff"], merged)
    assert classes.keys == ("ok", "scratch", "scuff")
    assert classes.open == ("ok", "scratch")
    assert classes.into == {"scuff": "scratch"}


def test_everything_can_be_taken_back():
    log = [add("1", "bent"), rename("2", "ok", "fine"), merge("3", "worn", "ok")]
    back = [undo("4", "1"), undo("5", "2"), undo("6", "3")]
    classes = class_list(["ok", "worn"], [*log, *back])
    assert classes == class_list(["ok", "worn"], [])


@given(st.lists(st.tuples(*[st.sampled_from("abcd")] * 2), max_size=6))
def test_merges_never_lead_in_a_ring(pairs):
    into = merges([merge(str(i), *pair) for i, pair in enumerate(pairs)])
    assert all(end not in into for end in into.values())
    named = {name for pair in pairs for name in pair}
    assert not named or named - into.keys(), "one class at least is left"


def mark(uuid, name, defect):
    return event(uuid, "", "mark", name, note=DEFECT if defect else SOUND)


def test_the_last_word_on_a_defect_counts_and_the_configuration_where_there_is_none():
    added = event("1", "", "add", "torn", note=DEFECT)
    log = [added, add("2", "dust"), mark("3", "worn", False), mark("4", "dust", True)]
    assert marks(log) == {"torn": True, "worn": False, "dust": True}
    assert marked(["worn", "bent"], marks(log)) == ("bent", "dust", "torn")
    assert marked(["worn"], marks([*log, mark("5", "worn", True)])) == ("worn", "dust", "torn")
    assert marked(["worn"], marks([*log, undo("5", "3"), undo("6", "4")])) == ("worn", "torn")
