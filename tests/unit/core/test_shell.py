import shlex

from hypothesis import given
from hypothesis import strategies as st

from alvision.core.shell import command


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)))
def test_a_shell_reads_back_what_was_meant(words):
    assert shlex.split(command(*words)) == words
