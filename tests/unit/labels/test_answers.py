import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.labels.answers import allowed_answers, check_classes, parse_answer


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("ok", ("label", "ok")),
        (" Worn\u00a0", ("label", "worn")),
        ("SKIP", ("skip", None)),
        ("Unsure", ("unsure", None)),
        ("wor", None),
        ("", None),
        (unicodedata.normalize("NFD", "müde"), ("label", "müde")),
    ],
)
def test_what_a_cell_says(text, word):
    assert parse_answer(text, ["ok", "worn", "müde"]) == word


def test_case_is_kept_apart_where_classes_are():
    classes = ["A1", "a1"]
    assert [parse_answer(text, classes) for text in ("A1", "a1")] == [
        ("label", "A1"),
        ("label", "a1"),
    ]
    assert parse_answer("Ab", ["AB", "ab"]) is None


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool), unique_by=str.casefold))
def test_every_usable_class_reads_back_as_itself(classes):
    nfc = {unicodedata.normalize("NFC", name).casefold() for name in classes}
    try:
        check_classes(classes)
    except UserError:
        return
    if len(nfc) == len(classes):
        assert [parse_answer(name, classes) for name in classes] == [("label", n) for n in classes]


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (["ok", "Skip"], "'Skip'"),
        (["unsure"], "'unsure'"),
        (["a", "a"], "twice"),
        ([" a"], "space"),
    ],
)
def test_unusable_names_are_refused(classes, told):
    with pytest.raises(UserError, match=told):
        check_classes(classes)


def test_what_may_be_said():
    assert allowed_answers(["ok", "worn"]) == "ok, worn, skip, unsure"
