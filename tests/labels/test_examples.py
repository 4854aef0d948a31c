import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["consensus", "content", "location", "words"])
def test_the_examples_in_the_text_hold(name):
    result = doctest.testmod(importlib.import_module(f"alvision.labels.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
