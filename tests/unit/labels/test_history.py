from dataclasses import replace

from alvision.labels.classes import class_list
from alvision.labels.history import history
from tests.unit.labels.conftest import event, undo
from tests.unit.labels.test_backup import LOG


def test_every_kind_of_event_is_told_in_one_line():
    log = [replace(e, number=n) for n, e in enumerate([*LOG, event("x", kind="unsure"),
           event("y", kind="skip"), event("z", "", "merge", "bent", target="ok"),
           undo("u", "never")], start=1)]  # fmt: skip
    told = history(log, class_list(["ok", "wörn"], log))
    assert told == [
        '     1  2026-03-02 09:30  anna: ä, "b" .png is wörn  [taken back]',
        "     2  anna: a.png needs a look (line one line two; 'x')",
        "     3  anna: takes back event 1",
        "     4  anna: bent is a class from now on",
        "     5  anna: ok is shown as fine",
        "     6  anna: writes on fine in the label book: a rule",
        "     7  anna: a.png is bent, whatever the votes",
        "     8  anna: round 0 is closed",
        "     9  anna: b.png was skip elsewhere",
        "    10  anna: a.png could be anything",
        "    11  anna: a.png is skipped",
        "    12  anna: bent becomes ok",
        "    13  anna: takes back event that is not there",
    ]
