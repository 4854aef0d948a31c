"""The languages of the page: a catalogue of texts for each, and which one a browser gets.

A catalogue is `text/<language>.json`, with the sentences of `alvision/advice/text/` beside it. Keys
are English names; values hold {places}. A key that ends in .one, .few, .many or .other is a form of
a plural, by the rules of Unicode's CLDR, which every browser knows.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from pathlib import Path

import alvision

_ROOM = Path(alvision.__file__).parent
FOLDERS = (_ROOM / "page" / "text", _ROOM / "advice" / "text")
"""Where catalogues lie; the page's own come first and say which languages there are."""
SOURCE = "en"
"""The language that the texts are written in; others are translations of it."""
SERVER = "said."
"""How the keys begin whose English text is a sentence of the server's own."""

Catalogue = dict[str, str]


@cache
def languages() -> tuple[str, ...]:
    """Return the languages of the page, by their codes, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDERS[0].glob("*.json")))


@cache
def catalogue(language: str) -> Catalogue:
    """Return every text for a language, by key; one without a translation is English."""
    return own(SOURCE) | own(language)


def own(language: str) -> Catalogue:
    """Return the texts that a language has itself."""
    found: Catalogue = {}
    for path in (folder / f"{language}.json" for folder in FOLDERS):
        if path.is_file():
            found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def sentences(language: str) -> Catalogue:
    """Return what the server says in English, by key; empty where the page is English too.

    The server's sentences come from files that keep their English words. The page finds their key
    by the English text and shows the text of its own language.
    """
    if language == SOURCE:
        return {}
    return {key: text for key, text in catalogue(SOURCE).items() if key.startswith(SERVER)}


def preferred(header: str, available: Collection[str]) -> str:
    """Return the first language of an Accept-Language header that is there; English if none is.

    A region or script is ignored: `pt-BR` gets `pt`. The header is a browser's, so nothing in it is
    an error. RFC 9110, 12.5.4; lookup as in RFC 4647, 3.4.

    >>> preferred("de-AT,de;q=0.9,en;q=0.5", {"de", "en"}), preferred("it, pl;q=0.3", {"en", "pl"})
    ('de', 'pl')
    >>> preferred("de;q=0, *", {"de", "en"})
    'en'
    """
    wanted = []
    for place, part in enumerate(header.split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((_weight(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
        if weight > 0:
            wanted.append((-weight, place, name.partition("-")[0]))
    return next((name for _, _, name in sorted(wanted) if name in available), SOURCE)


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
