import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.config.overrides import parse, tidy
from alvision.core.errors import UserError

text = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1)


@given(text.filter(lambda t: t[0] not in "'\"$" and t.strip() == t and t != "null"))
def test_a_path_comes_through_as_it_was_typed(path):
    assert parse([tidy(f"data.root={path}")])[0].value() == path


@given(st.lists(text.filter(lambda t: t.strip() == t and not set(t) & set("'\",\\")), min_size=1))
def test_class_names_come_through_as_strings(names):
    assert parse([tidy(f"classes=[{','.join(names)}]")])[0].value() == names


def test_quoted_class_names_may_hold_commas():
    value = parse([tidy("""classes=["a, b",'c',yes]""")])[0].value()
    assert [str(item) for item in value] == ["a, b", "c", "yes"]


@pytest.mark.parametrize("word", ["data.root", "seed", "--seed"])
def test_a_word_without_a_value_is_named(word):
    with pytest.raises(UserError, match="key=value"):
        parse([word])


def test_grammar_that_hydra_cannot_read_is_one_line():
    with pytest.raises(
        UserError, match=r"'experiment=\[a' cannot be read: close the bracket"
    ) as caught:
        parse(["experiment=[a"])
    assert "\n" not in str(caught.value)
