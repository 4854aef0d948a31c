"""The page's words: one catalogue, nothing missing from it, nothing in it for nothing."""

import json
import re
from pathlib import Path

import alvision
from alvision.page.languages import SERVER

PAGE = Path(alvision.__file__).parent / "page"
CATALOGUE = json.loads((PAGE / "text" / "en.json").read_text(encoding="utf-8"))
SOURCES = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted([*(PAGE / "static").glob("*.js"), *(PAGE / "templates").glob("*.html")])
}
SECTIONS = {key.split(".")[0] for key in CATALOGUE if "." in key}
# `"book.save"`, and `"tool." ~ name` or `phase.${phase}`, which stand for a whole group of texts
LITERAL = re.compile(rf'["`]((?:{"|".join(SECTIONS)})\.[a-z_.]*)')


def known(literal: str) -> bool:
    if literal.endswith("."):
        return any(key.startswith(literal) for key in CATALOGUE)
    return literal in CATALOGUE or f"{literal}.other" in CATALOGUE


def test_every_text_that_the_page_asks_for_is_in_the_catalogue():
    missing = {
        (name, literal)
        for name, source in SOURCES.items()
        for literal in LITERAL.findall(source)
        if not known(literal)
    }
    assert not missing


def test_no_text_stands_in_the_catalogue_for_nothing():
    literals = {literal for source in SOURCES.values() for literal in LITERAL.findall(source)}
    groups = tuple(literal for literal in literals if literal.endswith("."))
    unused = {
        key
        for key in CATALOGUE
        if "." in key
        and not key.startswith(SERVER)  # found by their text, see test_languages.py
        and re.sub(r"\.(one|other)$", "", key) not in literals
        and not (groups and key.startswith(groups))
    }
    assert not unused


def test_both_forms_of_a_plural_are_there():
    ones = {key.removesuffix(".one") for key in CATALOGUE if key.endswith(".one")}
    others = {key.removesuffix(".other") for key in CATALOGUE if key.endswith(".other")}
    assert ones == others


def test_nothing_is_loaded_from_elsewhere_and_no_markup_is_made_from_text():
    for name, source in SOURCES.items():
        outside = re.findall(r"(?:https?:)?//[\w-]+\.[\w.]+", source)
        assert [address for address in outside if "www.w3.org" not in address] == [], name
        assert not re.search(r"(inner|outer)HTML|insertAdjacentHTML|document\.write|eval\(", source)


def test_every_style_stays_in_the_stylesheets_so_that_the_page_needs_no_inline_code():
    for name, source in SOURCES.items():
        if name.endswith(".html"):
            assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", source), name
