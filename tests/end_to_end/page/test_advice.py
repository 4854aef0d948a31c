"""The line that is always there, in a real browser: said once, and in the dialog with the rest."""

import pytest

from tests.end_to_end.page.conftest import CLASSES
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.still import still
from tests.end_to_end.page.test_grid import DESK, PHONE
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
def test_the_advice_is_one_line_and_nothing_else_repeats_it(chromium, tmp_path, device):
    axe = imported("axe_playwright_python.sync_playwright")
    with still(tmp_path) as server:
        context = chromium.new_context(**device)
        ana = Person(context.new_page(), server.url, CLASSES).open()
        line = ana.page.locator("#advice")
        said = line.inner_text()
        assert said and line.get_attribute("aria-live") in ("off", "polite")
        assert ana.page.get_by_text(said, exact=True).locator("visible=true").count() == 1
        ana.page.evaluate("() => document.querySelector('[data-open=progress]').click()")
        ana.page.wait_for_selector("#progress-dialog[open]")
        assert ana.page.locator("#advice-lines li").first.inner_text() == said
        found = axe.Axe().run(ana.page, context={"include": [["#advice"], ["#advice-lines"]]})
        assert not found.violations_count, found.generate_report()
        context.close()
        assert ana.errors == [] and ana.outside == []
