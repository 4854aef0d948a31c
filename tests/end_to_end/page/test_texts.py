"""Texts on the page, in a real browser: read, answered, undone, and found beside what is near."""

import csv
import json

import pytest

from alvision.config.schema import DataConfig
from alvision.core.records import Query, QueryRow
from alvision.data.hashes import content_hashes
from alvision.data.manifest import build
from alvision.evaluation.metrics import metric
from alvision.labels.store import LabelStore
from alvision.page.app import Page
from alvision.page.guard import Guard
from alvision.page.rows import shown_rows
from alvision.page.state import PageContext
from alvision.run_folder.round_files import QueryFile
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.server import served
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CLASSES = ("urgent", "routine")
LONG = "The pump leaks. " * 200


@pytest.fixture
def url(tmp_path):
    """Serve a table of tickets whose round has asked; no model runs for it."""
    with (tmp_path / "tickets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "site", "label"])
        for k in range(16):
            text = LONG if k == 2 else f"Pump {k} leaks, <b>oil</b> on the floor"
            writer.writerow([f"T-{k:02d}", text, "North", "urgent"])
    file = str(tmp_path / "tickets.csv")
    manifest = build(DataConfig(kind="text", file=file, path_column="id", text_column="text"))
    ids = manifest.ids
    said = {"probabilities": {"urgent": 0.6, "routine": 0.4}, "heatmap": ""}
    opinions = {id: {**said, "neighbours": [[near, "urgent"] for near in ids[:5]]} for id in ids}
    rounds = tmp_path / "run" / "rounds" / "000"
    rounds.mkdir(parents=True)
    (rounds / "opinions.json").write_text(json.dumps({"images": opinions}))
    reason = "between urgent (0.60) and routine (0.40)"
    rows = [QueryRow(id, k, 0.5, prediction="urgent", reason=reason) for k, id in enumerate(ids)]
    QueryFile().write(Query(0, ()), rounds / "ranking.csv")
    QueryFile().write(Query(0, tuple(rows)), rounds / "query.csv")
    with LabelStore(tmp_path / "labels.db", shared=True) as store, store.database.held():
        page = Page(
            PageContext(
                root=tmp_path / "run",
                store=store,
                paths=dict(zip(ids, manifest.paths, strict=True)),
                held_out=frozenset(),
                secret=bytes(32),
                cache=tmp_path / "thumbnails",
                metric=metric("macro_f1"),
                classes=CLASSES,
                rows=shown_rows(manifest, content_hashes(manifest)),
            )
        )
        with served(Guard(page.app, token=None)) as address:
            yield address


def shown(page, text):
    page.wait_for_function(
        "(text) => document.querySelector('#row-text').textContent === text", arg=text
    )


def test_a_person_labels_texts_as_photographs(chromium, url):
    axe = imported("axe_playwright_python.sync_playwright")
    for options in (
        {"viewport": {"width": 1280, "height": 800}},
        {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    ):
        context = chromium.new_context(**options)
        person = Person(context.new_page(), url, CLASSES)
        person.page.goto(url)
        person.page.wait_for_selector("#name-dialog[open]")
        person.page.keyboard.type("Ana" if "has_touch" not in options else "Ben")
        person.page.keyboard.press("Enter")
        page = person.page
        page.wait_for_selector("#row:not([hidden])")
        first = person.text("#row-text")
        assert "<b>oil</b>" in first  # a text is text, whatever it holds
        assert "North" in person.text("#row-fields") and "urgent" not in person.text("#row")
        assert person.text("#why") == "between urgent (0.60) and routine (0.40)"
        assert page.locator("#near .snippet").count() == 5
        assert not page.locator("#frame").is_visible() and not page.locator("#fit").is_visible()
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        page.keyboard.press("1")
        page.wait_for_function(
            "(text) => document.querySelector('#row-text').textContent !== text", arg=first
        )
        person.wait_until_stored()
        page.keyboard.press("z")
        shown(page, first)
        for _ in range(6):
            if person.text("#row-text").startswith("The pump leaks."):
                page.keyboard.press("ArrowDown")
                page.wait_for_function("() => document.querySelector('#row').scrollTop > 0")
                break
            before = person.text("#row-text")
            page.keyboard.press("Space")
            page.wait_for_function(
                "(text) => document.querySelector('#row-text').textContent !== text", arg=before
            )
        else:
            assert "has_touch" in options  # the first person has answered it
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width == options["viewport"]["width"]
        assert person.errors == [] and person.outside == []
        context.close()
