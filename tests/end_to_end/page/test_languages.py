"""The page in each of its languages: nothing is cut on a desk or a phone, and axe is content."""

import json

import pytest

from alvision.core.records import Query, QueryRow
from alvision.evaluation.metrics import metric
from alvision.labels.store import LabelStore
from alvision.page.app import Page
from alvision.page.guard import Guard
from alvision.page.languages import SOURCE, catalogue, languages
from alvision.page.state import PageContext
from alvision.run_folder.round_files import QueryFile
from tests.end_to_end.page.conftest import CLASSES, painted
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.server import served
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

CUT = """() => {
  const cut = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const shown = element.checkVisibility({ visibilityProperty: true });
    // What only a screen reader is told has one pixel; a class is named by people.
    if (!own || !shown || element.closest("svg, .skip-link, .called")) continue;
    if (element.clientWidth === 1 || element.closest(".unseen")) continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const text = range.getBoundingClientRect();
    if (text.left < -1 || text.right > innerWidth + 1) cut.push(["page", element.textContent]);
    for (let box = element; box !== document.body; box = box.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(box);
      const edge = box.getBoundingClientRect();
      const across = text.right > edge.right + 1 || text.left < edge.left - 1;
      const down = text.bottom > edge.bottom + 2 || text.top < edge.top - 2;
      if ((overflowX !== "visible" && across) || (overflowY === "hidden" && down)) {
        cut.push([box.id || box.className, element.textContent]);
      }
      if (box === element && !box.matches("span, b, small") && across) {
        cut.push(["itself", element.textContent]);
      }
      if (overflowY === "auto" || overflowY === "scroll") break; // what is below is scrolled to
    }
  }
  return cut;
}"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Serve a page whose round has asked and knows a model's opinion; no model runs for it."""
    folder = tmp_path_factory.mktemp("languages")
    root = painted(folder / "photos", 24)
    paths = {path.name: path for path in sorted(root.glob("*.png"))}
    names = list(paths)
    said = {"probabilities": {"ok": 0.52, "scratch": 0.45, "dent": 0.03}, "heatmap": ""}
    opinions = {id: {**said, "neighbours": [[near, "ok"] for near in names[:5]]} for id in names}
    reason = "between ok (0.52) and scratch (0.45)"
    rows = [QueryRow(id, k, 0.5, prediction="ok", reason=reason) for k, id in enumerate(names[5:])]
    rounds = folder / "run" / "rounds" / "000"
    rounds.mkdir(parents=True)
    (rounds / "opinions.json").write_text(json.dumps({"images": opinions}))
    QueryFile().write(Query(0, ()), rounds / "ranking.csv")
    QueryFile().write(Query(0, tuple(rows)), rounds / "query.csv")
    with LabelStore(folder / "labels.db", shared=True) as store, store.database.held():
        page = Page(
            PageContext(
                root=folder / "run",
                store=store,
                paths=paths,
                held_out=frozenset(names[:2]),
                secret=bytes(32),
                cache=folder / "thumbnails",
                metric=metric("macro_f1"),
                classes=CLASSES,
                defects=CLASSES[1:],
            )
        )
        with served(Guard(page.app, token=None)) as address:
            yield address


@pytest.fixture
def enter(chromium, url):
    """Return a function by which a person enters whose browser asks for a language."""
    people, contexts = [], []

    def come(language, **options):
        contexts.append(chromium.new_context(locale=language, **options))
        people.append(Person(contexts[-1].new_page(), url, CLASSES).open())
        people[-1].shown()
        return people[-1]

    yield come
    for context in contexts:
        context.close()
    assert [person.errors for person in people if person.errors] == []


def dialogs(page):
    """Open one dialog after the other; return their names."""
    for name in page.evaluate("() => [...document.querySelectorAll('dialog')].map((d) => d.id)"):
        if name == "name-dialog":
            continue
        page.evaluate(f"() => document.querySelector('#{name}').showModal()")
        yield name
        page.evaluate(f"() => document.querySelector('#{name}').close()")


@pytest.mark.parametrize("language", languages())
def test_no_text_is_cut_on_a_desk_and_on_a_phone(enter, language):
    for options in (DESK, PHONE):
        person = enter(language, **options)
        assert person.page.evaluate("() => document.documentElement.lang") == language
        assert person.page.evaluate(CUT) == []
        for name in dialogs(person.page):
            assert person.page.evaluate(CUT) == [], name
        width = person.page.evaluate("() => document.documentElement.scrollWidth")
        assert width == options["viewport"]["width"]


@pytest.mark.parametrize("language", [name for name in languages() if name != SOURCE])
def test_the_server_s_reason_the_numbers_and_axe(enter, language):
    axe = imported("axe_playwright_python.sync_playwright")
    person, text = enter(language, **DESK), catalogue(language)
    numbers = person.page.evaluate(
        "(name) => [0.52, 0.45].map((value) => new Intl.NumberFormat(name).format(value))", language
    )
    first, second = numbers
    places = {"first": "ok", "p": first, "second": "scratch", "q": second}
    assert person.text("#why") == text["said.between"].format(**places)
    assert person.text("#skip span") == text["answer.skip"]
    found = axe.Axe().run(person.page)
    assert found.violations_count == 0, found.generate_report()
