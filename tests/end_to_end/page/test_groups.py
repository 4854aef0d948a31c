"""The first page sees that photographs show one part, and the rule chosen there is the run's."""

import time
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image

from alvision.core.rounds import read_document
from alvision.data.parts import RecordedParts
from alvision.labels.location import read_audit
from tests.conftest import paint
from tests.end_to_end.page.conftest import CLASSES
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.server import PATIENCE
from tests.end_to_end.page.test_sitting import first_page
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def views(tmp_path):
    """Return a folder of 40 parts, each photographed three times in other light."""
    (tmp_path / "photos").mkdir()
    for number in range(40):
        part = np.asarray(paint(number, CLASSES[number % 3], 64))
        for view in range(3):
            picture = Image.fromarray(np.clip(part + 8.0 * view, 0, 255).astype(np.uint8))
            picture.save(tmp_path / "photos" / f"part{number:02d}_{view}.png")
    return tmp_path / "photos"


def test_views_of_one_part_are_offered_a_rule_and_stay_together(chromium, views, serve, tmp_path):
    axe = imported("axe_playwright_python.sync_playwright")
    server = serve(views)
    context = chromium.new_context(viewport={"width": 1280, "height": 1100})
    ana = Person(context.new_page(), server.url, CLASSES).open()
    ana.page.wait_for_selector("#setup-groups:not([hidden])")
    assert "120 of these photographs look like another view" in ana.text("#setup-groups-lead")
    assert ana.page.locator("#setup-pairs img").count() == 6
    ana.page.wait_for_function(
        "() => [...document.querySelectorAll('#setup-pairs img')].every((i) => i.naturalWidth)"
    )
    ana.page.screenshot(path=str(tmp_path / "first-page.png"), full_page=True)
    found = axe.Axe().run(ana.page)
    assert found.violations_count == 0, found.generate_report()
    assert ana.page.locator("input[name=groups]:checked").get_attribute("value") == "none"
    rule = ana.page.locator("#setup-rules label").nth(1)
    assert "120 of the 120 come together, in 40 groups" in rule.inner_text()
    rule.click()
    ana.page.locator("#setup-rows input").first.focus()
    keys = ana.page.keyboard
    for place, name in enumerate(CLASSES):
        keys.type(name)
        keys.press("Tab")
        if place:
            keys.press("Space")
        keys.press("Tab")
        keys.press("Tab")
    ana.page.locator("#setup-name").fill("Ana")
    keys.press("Enter")
    ana.shown()
    (event,) = [event for event in server.events() if event.kind == "groups"]
    assert event.target == "pattern" and event.by == "Ana"

    record = views.with_name("photos.alvision") / "audit.csv"
    deadline = time.monotonic() + PATIENCE
    while not record.exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert read_document(server.out)["config"]["data"]["group_by"] == "pattern"
    parts = defaultdict(set)
    for id, part in RecordedParts.from_rows(read_audit(record)).images.items():
        parts[id.split("_")[0]].add(part)
    assert len(parts) == 40 and all(len(sides) == 1 for sides in parts.values())
    assert ana.errors == [] and ana.outside == []
    context.close()


def test_without_look_alikes_nobody_is_asked(chromium, photos, serve):
    server = serve(photos)
    context = chromium.new_context()
    ana = Person(context.new_page(), server.url, CLASSES).open()
    server.wait_for("/api/views", lambda views: views["ready"])
    assert ana.page.locator("#setup-groups").is_hidden()
    first_page(ana)
    ana.shown()
    assert not [event for event in server.events() if event.kind == "groups"]
    context.close()
