"""A person's whole sitting by keyboard; at its end the store holds exactly what was said."""

from collections import Counter

import pytest

from tests.end_to_end.page.conftest import CLASSES, painted
from tests.end_to_end.page.person import Person
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def first_page(person):
    """Fill the first page without touching the mouse."""
    keys = person.page.keyboard
    person.page.wait_for_selector("#setup:not([hidden])")
    for place, name in enumerate(CLASSES):
        keys.type(name)
        keys.press("Tab")
        if place:
            keys.press("Space")  # scratch and dent are defects
        keys.press("Tab")
        keys.press("Tab")
    keys.press("Tab")
    keys.type("Ana")
    keys.press("Enter")


def test_a_killed_server_and_a_lost_connection_lose_and_double_nothing(chromium, photos, serve):
    axe = imported("axe_playwright_python.sync_playwright")
    server = serve(photos)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    ana = Person(context.new_page(), server.url, CLASSES).open()
    found = axe.Axe().run(ana.page)
    assert found.violations_count == 0, found.generate_report()
    first_page(ana)
    ana.shown()
    assert [(one["name"], one["defect"]) for one in server.get("/api/state?by=")["classes"]] == [
        ("ok", False),
        ("scratch", True),
        ("dent", True),
    ]

    for key in "1231231312":
        ana.press(key)
    ana.press("u")
    ana.press("Space")
    ana.undo()  # the skip
    ana.undo()  # the unsure
    ana.press("Space")
    ana.press("2")

    ana.wait_until_loaded(len(ana.said) + 4)
    server.kill()
    for key in ("1", "u", "3"):
        ana.press(key)  # kept in the browser
    assert "3 answers are kept" in ana.text("#saved")
    server.start()
    ana.wait_until_stored()
    for key in "1123":
        ana.press(key)

    ana.wait_until_loaded(len(ana.said) + 11)
    context.set_offline(True)
    for key in "3213213213":
        ana.press(key)
    assert "10 answers are kept" in ana.text("#saved")
    context.set_offline(False)
    ana.wait_until_stored()

    ana.page.reload()  # the page forgets; the store does not
    for _ in range(3):
        ana.undo()
    for key in ("1", "Space", "u", "Space", *"231231231231231"):
        ana.press(key)
    ana.wait_until_stored()

    kinds = Counter(kind for _, kind, _ in ana.said)
    assert (kinds["label"], kinds["unsure"], kinds["skip"], ana.undone) == (40, 2, 3, 5)
    events = [event for event in server.events() if event.by == "Ana" and event.id]
    undone = {event.target for event in events if event.kind == "undo"}
    stood = [event for event in events if event.kind != "undo" and event.uuid not in undone]
    spoken = [event for event in stood if event.kind in ("label", "unsure", "skip")]
    said = [(server.image(address), kind, label) for address, kind, label in ana.said]
    assert Counter((event.id, event.kind, event.label) for event in spoken) == Counter(said)
    assert [(event.id, event.kind, event.label) for event in spoken] == said  # in this order
    assert len(undone) == ana.undone
    assert sum(event.kind in ("label", "unsure", "skip") for event in events) == ana.given
    assert all(event.seconds is not None and event.seconds >= 0 for event in spoken)
    assert ana.errors == []
    assert ana.outside == []
    context.close()


def test_answers_wait_for_the_server_in_a_closed_browser_too(
    chromium, chromium_options, photos, serve, tmp_path
):
    server = serve(photos, "classes=[ok,scratch,dent]")
    profile = tmp_path / "profile"

    open_browser = chromium.browser_type.launch_persistent_context
    context = open_browser(profile, **chromium_options)
    ana = Person(context.pages[0], server.url, CLASSES).open()
    ana.press("1")
    ana.wait_until_loaded(5)
    server.kill()
    for key in "231":
        ana.press(key)
    context.close()
    assert len([event for event in server.events() if event.kind == "label"]) == 1

    other = serve(painted(tmp_path / "others", 40), "classes=[ok,scratch,dent]", port=server.port)
    context = open_browser(profile, **chromium_options)
    Person(context.pages[0], other.url, CLASSES).open().shown()
    assert other.events() == []  # another data set at the same address is not theirs
    other.stop()
    context.close()

    server.start()
    context = open_browser(profile, **chromium_options)
    again = Person(context.pages[0], server.url, CLASSES).open()
    again.shown()
    again.wait_until_stored()
    labels = [(event.id, event.label) for event in server.events() if event.kind == "label"]
    assert labels == [(server.image(address), label) for address, _, label in ana.said]
    context.close()
