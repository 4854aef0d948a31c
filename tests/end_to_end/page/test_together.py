"""What people agree on: the label book, the classes, conflicts, flags; and text is only text."""

import uuid

import pytest

from tests.end_to_end.page.conftest import CLASSES, painted
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCRIPT = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server that wants two votes an image; its model matters to no test here."""
    folder = tmp_path_factory.mktemp("together")
    server = Server(
        painted(folder / "photos", 60),
        folder / "run",
        "classes=[ok,scratch,dent]",
        "labels.votes=2",
    )
    with server.start():
        yield server


@pytest.fixture
def enter(chromium, server):
    people, contexts = [], []

    def come(name):
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 900}))
        people.append(Person(contexts[-1].new_page(), server.url, CLASSES).open(name))
        people[-1].shown()
        return people[-1]

    yield come
    for context in contexts:
        context.close()
    assert [person.errors for person in people if person.errors] == []


def expect(person, selector, text):
    person.page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)",
        arg=[selector, text],
    )


def test_the_label_book_is_written_on_the_page_and_each_answer_names_its_version(enter, server):
    ana = enter("Ana")
    version = server.get("/api/book")["version"]
    ana.page.keyboard.press("l")
    expect(ana, "#book-rule-name", "ok")
    ana.page.locator("#book-classes button", has_text="scratch").click()
    ana.page.fill("#book-rule", "longer than 2 mm")
    ana.page.click("[data-add=borderline]")
    ana.page.click("#book-form button[type=submit]")
    expect(ana, "#book-status", f"Saved as version {version + 1}")
    ana.page.keyboard.press("Escape")
    shown = ana.shown()
    ana.press("2")
    ana.wait_until_stored()

    (entry,) = [one for one in server.get("/api/book")["classes"] if one["name"] == "scratch"]
    assert entry["rule"] == "longer than 2 mm"
    assert entry["borderline"] == [shown]
    answer = [event for event in server.events() if event.kind == "label"][-1]
    assert answer.book == version + 1

    ben = enter("Ben")
    ben.page.keyboard.press("l")
    ben.page.locator("#book-classes button", has_text="scratch").click()
    assert ben.page.input_value("#book-rule") == "longer than 2 mm"


def test_whoever_writes_from_an_old_version_of_the_book_is_told(enter):
    ana, ben = enter("Ana"), enter("Ben")
    for person in (ana, ben):
        person.page.keyboard.press("l")
        expect(person, "#book-rule-name", "ok")
        person.page.fill("#book-rule", f"as {person.page.evaluate('() => location.host')} says")
    ana.page.fill("#book-rule", "nothing to see")
    ana.page.click("#book-form button[type=submit]")
    expect(ana, "#book-status", "Saved")
    ben.page.click("#book-form button[type=submit]")
    ben.page.wait_for_function(
        "() => document.querySelector('#book-form .error').textContent !== ''"
    )
    assert ben.page.input_value("#book-rule") != "nothing to see"  # nothing typed is lost
    ben.errors.clear()  # the browser reports the refusal, status 409


def test_classes_are_added_and_renamed_in_the_middle(enter, server):
    ana = enter("Ana")
    ana.page.click(".tools [data-open=classes]")
    ana.page.fill("#classes-name", SCRIPT)
    ana.page.check("#classes-defect")
    ana.page.click("#classes-add button")
    expect(ana, "#classes-status", "Saved")
    ana.page.fill("#classes-rows > div:nth-child(3) form input", "bump")
    ana.page.click("#classes-rows > div:nth-child(3) form button")
    expect(ana, "#answers", "bump")
    ana.page.click("#classes-rows > div:nth-child(3) [type=checkbox]")
    ana.page.wait_for_selector("#classes-rows > div:nth-child(3) .defect")
    ana.page.keyboard.press("Escape")
    names = ana.page.locator(".choice .called").all_inner_texts()
    assert names == ["ok", "scratch", "bump", SCRIPT]
    assert ana.page.title() != "owned"
    ana.press("3")  # the key of a class is its first name for ever
    ana.wait_until_stored()
    assert [event for event in server.events() if event.kind == "label"][-1].label == "dent"
    (mark,) = [event for event in server.events() if event.kind == "mark"]
    assert (mark.label, mark.note) == ("dent", "defect")


def test_a_class_is_merged_after_a_question(enter, server):
    ana = enter("Ana")
    ana.page.on("dialog", lambda dialog: dialog.accept())
    ana.page.click(".tools [data-open=classes]")
    ana.page.fill("#classes-name", "rust")
    ana.page.click("#classes-add button")
    row = ana.page.locator("#classes-rows > div", has_text="rust").last
    row.locator("select").select_option("dent")
    row.get_by_role("button", name="Merge").click()
    ana.page.wait_for_function(
        "() => !document.querySelector('#answers').textContent.includes('rust')"
    )
    (merge,) = [event for event in server.events() if event.kind == "merge"]
    assert (merge.by, merge.label) == ("Ana", "rust")


def test_a_conflict_shows_both_answers_and_is_settled_by_a_key(enter, server):
    ana = enter("Ana")
    common = ana.shown()
    ana.press("1")
    ana.wait_until_stored()
    other = {"uuid": str(uuid.uuid4()), "id": common, "kind": "label", "label": "scratch"}
    server.post("/api/answers", {"by": "Ben", "events": [other]})
    server.wait_for("/api/state?by=", lambda state: state["conflicts"] > 0)
    ana.page.keyboard.press("c")
    ana.page.wait_for_selector("#conflict:not([hidden])")
    votes = ana.page.locator("#conflict-votes li")
    assert {*votes.locator("b").all_inner_texts()} == {"ok", "scratch"}
    assert {*votes.locator("span").all_inner_texts()} == {"Ana", "Ben"}
    ana.page.keyboard.press("2")
    expect(ana, "#conflicts-status", "Settled as scratch")
    settled = [event for event in server.events() if event.kind == "settle"]
    assert [event.label for event in settled] == ["scratch"]
    assert settled[0].id == server.image(common)


def test_a_flag_keeps_its_note_and_the_image(enter, server):
    ana = enter("Ana")
    shown = ana.shown()
    ana.page.keyboard.press("f")
    ana.page.keyboard.type(f"blurred {SCRIPT}")
    ana.page.click("#flag-form button")
    expect(ana, "#last", "Flagged")
    assert ana.shown() == shown
    (flag,) = [event for event in server.events() if event.kind == "flag"]
    assert (flag.id, flag.note) == (server.image(shown), f"blurred {SCRIPT}")


def test_an_answer_about_a_photograph_that_is_gone_is_refused_and_the_next_one_shows(enter):
    ana = enter("Ana")
    before = ana.source()
    # As after a restart of the server, which knows neither the file nor its address any more.
    ana.page.route(
        "**/api/answers",
        lambda route: route.fulfill(json={
            "stored": [], "opinions": [], "counts": {},
            "refused": [{
                "uuid": route.request.post_data_json["events"][0]["uuid"],
                "error": "this image is not in the data", "status": 410,
            }],
        }),
    )  # fmt: skip
    ana.page.keyboard.press("1")
    ana.page.wait_for_function(
        "(before) => document.querySelector('#layer .picture')?.src !== before", arg=before
    )
    assert "this image is not in the data" in ana.text("#last")


def test_a_refused_answer_says_why_and_the_image_stays(enter, server):
    ana = enter("Ana")
    ana.page.route("**/api/answers", lambda route: route.fulfill(
        status=409, content_type="application/json", body='{"error": "this class has ended"}'
    ))  # fmt: skip
    shown = ana.shown()
    ana.page.keyboard.press("1")
    expect(ana, "#last", "this class has ended")
    assert ana.shown() == shown
    ana.page.unroute("**/api/answers")
    ana.press("1")
    ana.wait_until_stored()
    ana.errors.clear()  # the browser reports the refusal
