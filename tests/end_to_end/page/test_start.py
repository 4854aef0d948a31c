"""The first minutes of a person: random images until the chosen ones are there."""

import csv
import json

import pytest

from tests.end_to_end.page.conftest import CLASSES
from tests.end_to_end.page.person import PATIENCE, Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_random_images_come_at_once_and_chosen_ones_when_the_images_are_read(
    chromium, serve, photos, tmp_path
):
    server = serve(photos, "classes=[ok,scratch,dent]", "budget.initial=12", "budget.audit=0")
    context = chromium.new_context()
    page = context.new_page()

    def reading(route):
        """Answer as the server does while its loop has a few minutes of images to read."""
        told = route.fetch(timeout=PATIENCE)  # its own limit is a quarter of a page's
        state = told.json() | {"phase": "features", "minutes_to_features": 3}
        route.fulfill(response=told, body=json.dumps(state))

    page.route("**/api/state**", reading)
    person = Person(page, server.url, CLASSES).open("Ana")
    person.shown()
    notice = page.locator("#notice")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('3')")
    assert notice.inner_text() == (
        "The first images are drawn at random; the chosen ones come when the model has read all "
        "images: in about 3 minutes"
    )
    person.press("1")
    page.unroute_all(behavior="wait")  # else one that is under way is answered by nobody
    server.wait_for("/api/state?by=", lambda state: state["phase"] == "asking")
    page.wait_for_function(
        "() => !document.querySelector('#notice').textContent.includes('at random')"
    )
    with (tmp_path / "run-0" / "rounds" / "000" / "query.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # The answer that was given meanwhile counts, unless its image is held out.
    assert len(rows) in (11, 12)
    assert {row["slot"] for row in rows} == {"cold_start"}
    assert {row["reason"] for row in rows}.isdisjoint({"drawn at random", ""})
    assert person.errors == []
    context.close()
