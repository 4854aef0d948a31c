"""The page in several languages: every text is there, and each browser gets its own."""

import re
from collections import defaultdict
from dataclasses import fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alvision.config.schema import PageConfig
from alvision.evaluation.audit import too_few
from alvision.evaluation.metrics import METRICS
from alvision.explain.reasons import reasons
from alvision.inference.predictions import Predictions
from alvision.labels.content import Moves
from alvision.page.languages import SERVER, SOURCE, catalogue, languages, own, preferred, sentences

OTHERS = [name for name in languages() if name != SOURCE]
FORMS = {"pl": {"one", "few", "many", "other"}, "zh": {"other"}}
"""Forms that a language's plurals must have, by Unicode's CLDR; the rest have two."""
# The list of requests is for programmers, and English.
ENGLISH_ALONE = ("api.",)
PLURAL = re.compile(r"\.(one|few|many|other)$")


def texts(language):
    """Return the texts of a language by key, plurals as a group of forms."""
    found = defaultdict(dict)
    for key, text in own(language).items():
        if not key.startswith(ENGLISH_ALONE):
            form = PLURAL.search(key)
            found[PLURAL.sub("", key)][form[1] if form else ""] = text
    return found


def places(text):
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_there_in_every_language_with_the_same_places(language):
    english, found = texts(SOURCE), texts(language)
    assert found.keys() == english.keys()
    assert catalogue(language)["language"] == language
    for key in found:
        forms = english[key]
        wanted = FORMS.get(language, {"one", "other"}) if len(forms) > 1 else {""}
        assert wanted <= found[key].keys(), key
        for form, text in found[key].items():
            source = forms.get(form) or forms["other"]  # Polish has forms that English lacks
            # The form for one thing may say it without a figure.
            assert places(text) - {"n"} == places(source) - {"n"}, key
            assert text.strip() == text != "", key


@pytest.mark.parametrize("language", OTHERS)
def test_few_texts_are_left_in_english(language):
    english = catalogue(SOURCE)
    same = [key for key, text in own(language).items() if text == english.get(key)]
    assert len(same) < 0.1 * len(english), same


@given(st.text(max_size=60) | st.from_regex(r"([a-z]{2}(-[A-Z]{2})?(;q=[\d.]{1,3})?,?){0,5}"))
def test_any_header_gives_a_language_that_is_there(header):
    assert preferred(header, {"de", "en"}) in {"de", "en"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("de-AT,en;q=0.9", "de"),
        ("en-GB,de;q=0.9", "en"),
        ("it,en;q=0.4,de;q=0.8", "de"),
        ("it", "en"),
        ("", "en"),
        ("*", "en"),
    ],
)
def test_the_page_speaks_the_language_of_the_browser(old_page, header, language):
    answer = old_page.get("/", headers={"accept-language": header})
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["content-language"] == language
    assert answer.headers["vary"] == "accept-language"


def test_a_setting_gives_every_browser_one_language(make_page):
    answer = make_page(language="de").get("/", headers={"accept-language": "en"})
    assert '<html lang="de">' in answer.text and catalogue("de")["answer.skip"] in answer.text


def test_the_setting_names_the_languages_that_there_are():
    field = next(field for field in fields(PageConfig) if field.name == "language")
    assert field.metadata["limit"].names == languages()
    assert field.metadata["limit"].problem("xx") is not None


def key_of(sentence):
    """Return the key of a sentence of the server's, as `said` in text.js finds it."""
    english = sentences(next(iter(OTHERS)))
    for key, text in sorted(english.items(), key=lambda one: -len(re.sub(r"\{\w+\}", "", one[1]))):
        pattern = re.sub(r"\\\{\w+\\\}", "(.+?)", re.escape(text))
        if re.fullmatch(pattern, sentence):
            return PLURAL.sub("", key)
    return None


CLASSES = ["ok", "worn and bent", "stain"]


@given(
    st.lists(st.sampled_from([0.0, 0.05, 0.2, 0.6, 1.0]), min_size=9, max_size=9),
    st.lists(st.sampled_from([0.0, 0.3, 2.5]), min_size=3, max_size=3),
    st.sampled_from(
        [
            *((), ("scores",), ("log_probs", "passes"), ("features",), ("defects",)),
            *(("novelty",), ("defects", "log_probs")),
        ]
    ),
    st.sampled_from(["acquisition", "audit"]),
)
def test_every_reason_has_a_translation(shares, scores, needs, slot):
    values = torch.tensor(shares).reshape(3, 3, 1).expand(3, 3, 3) + torch.eye(3)
    log_probs = (values / values.sum(-1, keepdim=True)).log()
    picked = Predictions(("a", "b", "c"), log_probs=log_probs, features=torch.ones(3, 2))
    said = reasons(picked, scores, needs=frozenset(needs), slot=slot, classes=CLASSES)
    assert [sentence for sentence in said if key_of(sentence) is None] == []


@pytest.mark.parametrize(
    "sentence",
    [
        *(metric.title for metric in METRICS),
        too_few({"n": 0}),
        too_few({"n": 1}),
        too_few({"n": 40, "per_class": {"ok": {"support": 40}}}),
        *str(Moves(1, 2, 1, 3)).split("; "),
        *str(Moves(2, 1, 2, 1)).split("; "),
    ],
)
def test_what_the_server_says_has_a_translation(sentence):
    assert key_of(sentence) is not None


def test_what_the_server_says_is_told_apart():
    assert key_of("between ok (0.52) and worn (0.45)") == "said.between"
    assert key_of("most likely ok (0.9), then worn (0.1)") == "said.likely.then"
    assert key_of("something else") is None
    assert sentences(SOURCE) == {}
    assert all(key.startswith(SERVER) for key in sentences(OTHERS[0]))
