"""A study's page in a real browser: it complains of nothing, asks nobody, sorts and shows."""

import pytest

from alvision.reporting.study import page as study
from tests.unit.reporting.builder import draw, study_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SKILLS = {"random_sampling": 0.2, "margin": 2.0, "k_center": 1.0}
PATIENCE = 120_000  # milliseconds; the machine may be busy
COLUMN = """(place) => [...document.querySelectorAll("#comparison tbody tr")]
  .map((row) => row.cells[place].textContent.trim())"""
BROKEN = (
    """() => [...document.images].filter((one) => !(one.complete && one.naturalWidth > 0)).length"""
)
LOADED = """() => { for (const one of document.images) one.loading = "eager";
  for (const one of document.querySelectorAll("details")) one.open = true;
  return [...document.images].every((one) => one.complete); }"""
WIDER = "() => document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return the page of a small study with pictures."""
    root = tmp_path_factory.mktemp("study")
    out = study_folder(root / "out", SKILLS, seeds=7, rounds=3)
    ids = {
        line.split(",")[0]
        for file in out.glob("*/seed-0/rounds/*/query.csv")
        for line in file.read_text(encoding="utf-8").splitlines()[1:]
    }
    ids |= {f"test/{i:04d}.png" for i in range(90)}
    pictures = draw(root / "images", sorted(ids), lambda id: "ok", side=24)
    labels = dict.fromkeys(ids, "scratch")
    return study.write(out, manifest=pictures, labels=labels)


@pytest.fixture
def opened(chromium, report):
    """Return a function that opens the page; it may not complain, nor ask for anything."""
    contexts, complaints = [], []

    def open_(**options):
        contexts.append(chromium.new_context(accept_downloads=True, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        return page

    asked = []
    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url for url in asked if not url.startswith("data:")} <= {report.as_uri()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_its_pictures_and_fits(opened, scheme, width):
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.locator("h1.verdict").inner_text()
    page.wait_for_function(LOADED)
    assert page.locator("figure img").count() > 30
    assert page.evaluate(BROKEN) == 0
    assert page.evaluate(WIDER) <= 0
    assert page.locator("svg.chart").count() == 3


def test_a_click_sorts_and_another_turns_it_round(opened):
    page = opened()
    head = page.locator("#comparison thead th").nth(2)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    rising = page.evaluate(COLUMN, 2)
    assert rising == sorted(rising)
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.evaluate(COLUMN, 2) == rising[::-1]
    p_value = page.locator("#comparison thead th").nth(7)
    for _ in range(2):
        p_value.locator("button").click()
        assert page.evaluate(COLUMN, 7)[-1] == "–", "what has no number stays below"


def test_the_csv_behind_a_table_can_be_kept(opened, tmp_path):
    page = opened()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="pairs.csv").click()
    assert waiting.value.suggested_filename == "pairs.csv"
    waiting.value.save_as(tmp_path / "pairs.csv")
    lines = (tmp_path / "pairs.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("first,second,difference,")
    assert len(lines) == 4


def test_it_prints(opened):
    page = opened()
    assert page.pdf(format="A4")[:5] == b"%PDF-"
