import pytest

from alvision.core.errors import UserError
from alvision.labels.guidelines import Book, Entry, book, read, write
from tests.unit.labels.conftest import event

ENTRY = Entry("a scratch above 2 mm", ("a.png",), ("b.png",), ("ü 1.png",))


def test_an_entry_goes_out_and_in_again():
    assert read(write(ENTRY)) == ENTRY
    assert "ü 1.png" in write(ENTRY)


def test_every_entry_makes_a_version_and_the_last_of_a_class_stands():
    log = [
        event("1", "", "book", "worn", note=write(Entry("first"))),
        event("2", label="worn"),
        event("3", "", "book", "ok", note=write(ENTRY)),
        event("4", "", "book", "worn", note=write(Entry("second"))),
    ]
    assert book([]) == Book(0, {})
    assert book(log) == Book(3, {"worn": Entry("second"), "ok": ENTRY})
    assert book(log, version=1) == Book(1, {"worn": Entry("first")})
    assert book(log, version=0) == Book()


@pytest.mark.parametrize("note", ["", "[]", '{"rule": "x"}', "{", write(Entry(rule=1))])
def test_what_is_no_entry_is_refused(note):
    with pytest.raises(UserError, match="label book"):
        read(note)
