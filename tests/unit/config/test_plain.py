"""What is configured without Hydra is what Hydra would configure."""

from dataclasses import asdict

import pytest

from alvision.config.compose import configuration
from alvision.config.plain import plain_configuration

UNKNOWN = ("model", "trainer", "acquisition", "cold_start", "out", "logger")
"""Left at the schema's defaults: the commands that use a plain configuration read none of them."""


@pytest.mark.parametrize(
    "words",
    [
        ["data.root=photos"],
        ["data.root=my photos/größe=1", "name=mine"],
        ["data.root=photos", "classes=[ok,not ok,yes,1]", "defects=['not ok',\"yes\"]"],
        ["data.root=photos", "labels.url=sqlite:///a.db"],
        ["data.root=a,b", "data.root=it's"],
        [],
    ],
    ids=["a folder", "odd characters", "classes", "a store", "the last word counts", "nothing"],
)
def test_it_equals_what_hydra_composes(words):
    plain = asdict(plain_configuration(words, oracle="files"))
    composed = asdict(configuration(["oracle=files", *words]))
    differing = {key for key in plain if plain[key] != composed[key]}
    assert differing <= set(UNKNOWN)


@pytest.mark.parametrize(
    "word",
    [
        "data=csv",
        "experiment=elpv",
        "seed=3",
        "data.root='photos'",
        "data.root=${oc.env:HOME}",
        "data.root=",
        "classes=null",
        "classes=[]",
        "classes=ok",
        "classes=[a,[b]]",
        r"classes=['it\'s']",
        "classes=['a,b']",
        "+data.root=photos",
        "photos",
    ],
)
def test_all_else_is_left_to_hydra(word):
    assert plain_configuration([word], oracle="files") is None
