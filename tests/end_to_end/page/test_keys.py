"""Which key does what, on keyboards of several countries: `static/keys.js` in a real browser."""

from pathlib import Path

import pytest

import alvision

STATIC = Path(alvision.__file__).parent / "page" / "static"
URL = "http://page.test/"
PAGE = """<!doctype html><div id="work"><input id="note"><textarea id="area"></textarea>
<div id="free" contenteditable>x</div></div><dialog id="d"><p>?</p></dialog>
<script type="module">
  import { listen } from "./keys.js";
  window.done = [];
  const act = (name) => () => window.done.push(name);
  const actions = { "-": act("out"), "+": act("in"), 0: act("fit"), u: act("unsure") };
  listen(() => actions, (place) => {
    if (place >= 1 && place <= 3) window.done.push(place);
    return place >= 1 && place <= 3;
  });
  window.press = (target, key, code, more = {}) => {
    window.done.length = 0;
    const given = { key, code, bubbles: true, cancelable: true, ...more };
    const event = new KeyboardEvent("keydown", given);
    (document.querySelector(target) ?? document.body).dispatchEvent(event);
    return [...window.done];
  };
</script>"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def press(chromium):
    """Return a function that presses a key on a target; it returns what was done."""
    page = chromium.new_context().new_page()

    def answer(route):
        name = route.request.url.removeprefix(URL)
        if not name:
            route.fulfill(body=PAGE, content_type="text/html")
        else:
            route.fulfill(path=STATIC / name, content_type="text/javascript")

    page.route(f"{URL}**", answer)
    page.goto(URL)
    page.wait_for_function("() => window.press")

    def press(key, code, target="#work", **more):
        return page.evaluate("(given) => window.press(...given)", [target, key, code, more])

    press.page = page
    return press


@pytest.mark.parametrize(
    "key, code, more, done",
    [
        ("1", "Digit1", {}, [1]),
        ("&", "Digit1", {}, [1]),  # French
        ("1", "Digit1", {"shiftKey": True}, [1]),  # French, with shift
        ("é", "Digit2", {}, [2]),
        ('"', "Digit3", {}, [3]),
        ("+", "Digit1", {}, [1]),  # Czech
        ("!", "Digit1", {"shiftKey": True}, []),  # English, with shift
        ("-", "Digit6", {}, ["out"]),  # French; there is no sixth class
        ("à", "Digit0", {}, ["fit"]),
        ("1", "Numpad1", {}, [1]),
        ("End", "Numpad1", {}, []),  # the number pad without its lock
        ("+", "NumpadAdd", {}, ["in"]),
        ("u", "KeyU", {}, ["unsure"]),
        ("U", "KeyU", {"shiftKey": True}, ["unsure"]),
        ("1", "Digit1", {"repeat": True}, []),
        ("1", "Digit1", {"ctrlKey": True}, []),
        ("u", "KeyU", {"isComposing": True}, []),
        ("Process", "Digit1", {"keyCode": 229}, []),
        ("~", "Digit2", {"modifierAltGraph": True}, []),
    ],
)
def test_a_digit_counts_by_its_place_and_a_sign_by_what_is_printed(press, key, code, more, done):
    assert press(key, code, **more) == done


@pytest.mark.parametrize("target", ["#note", "#area", "#free"])
def test_no_key_answers_while_a_text_is_typed(press, target):
    assert press("1", "Digit1", target) == []
    assert press("&", "Digit1", target) == []
    assert press("u", "KeyU", target) == []


def test_no_key_answers_behind_a_dialog(press):
    press.page.evaluate("() => document.querySelector('#d').showModal()")
    assert press("&", "Digit1") == press("u", "KeyU") == []
    press.page.evaluate("() => document.querySelector('#d').close()")
    assert press("&", "Digit1") == [1]
