"""A table's rows on the page: what is shown of them, and that nothing else of the table is."""

import pytest

from alvision.page.rows import SNIPPET, ShownRow
from tests.unit.page.conftest import photographs


def row(k, *, pictured=False, text="oil leaks from pump"):
    return ShownRow(f"{k:064x}", text and f"{text} {k}", (("site", "North"),), pictured)


@pytest.fixture
def texts(make_page, tmp_path):
    ids = [f"T-{k}" for k in range(6)]
    rows = {id: row(k) for k, id in enumerate(ids)}
    return make_page(paths=dict.fromkeys(ids, tmp_path / "t.csv"), rows=rows)


def test_an_item_brings_its_text_and_columns_and_is_answered(texts):
    item = texts.items(n=1)[0]
    assert item["pictured"] is False and item["text"].startswith("oil leaks")
    assert item["fields"] == [["site", "North"]] and (item["width"], item["height"]) == (0, 0)
    texts.say(item["id"])
    assert texts.state()["labels"] == 1 and texts.state()["pictured"] is False
    assert texts.read("/api/last", by="ann")["item"]["text"] == item["text"]


def test_an_answer_is_about_the_text_that_was_shown(texts, store):
    item = texts.items(n=1)[0]
    texts.say(item["id"])
    assert [event.sha256 for event in store.events()] == [item["sha256"]]


def test_a_neighbour_is_shown_by_the_beginning_of_its_text(texts, ask):
    said = {"probabilities": {"ok": 1.0}, "neighbours": [["T-5", "ok"]], "heatmap": ""}
    ask("T-0", opinions={"T-0": said})
    (item,) = (item for item in texts.items(n=6) if item["neighbours"])
    assert item["neighbours"][0]["snippet"] == "oil leaks from pump 5" and not item["heatmap"]


def test_a_row_is_read_by_its_address_and_has_no_picture(texts):
    found = texts.read("/api/row", address=texts.address("T-3"))
    assert found == {"text": "oil leaks from pump 3", "snippet": "oil leaks from pump 3"}
    assert texts.get("/api/row", params={"address": "T-3"}).status_code == 404
    address, sha256 = texts.address("T-3"), f"{3:064x}"
    for path in (f"/image/{address}", f"/image/{address}?size=thumb",
                 f"/image/{address}?sha256={sha256}",
                 f"/tile/{address}?sha256={sha256}&level=0&column=0&row=0"):  # fmt: skip
        assert texts.get(path).status_code == 422, path


def test_a_row_beside_its_image_has_both(make_page, tmp_path):
    paths = photographs(tmp_path / "more")
    rows = {id: row(k, pictured=True) for k, id in enumerate(paths)}
    page = make_page(paths=paths, rows=rows)
    item = next(item for item in page.items(n=12) if not item["blind"])
    assert item["pictured"] and item["text"] and item["width"] > 0 and page.state()["pictured"]
    answer = page.get(f"/image/{item['id']}?sha256={item['sha256']}")
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    assert page.get(f"/image/{item['id']}?sha256={'0' * 64}").status_code == 410


def test_photographs_have_no_rows(page):
    item = page.items(n=1)[0]
    assert item["pictured"] and item["text"] is None and item["fields"] == []
    assert page.get("/api/row", params={"address": item["id"]}).status_code == 404


@pytest.mark.parametrize("words", ["a  b", "x" * 500, "line\n\n line"])
def test_a_snippet_is_one_short_line(words):
    found = ShownRow("", words, (), False).snippet()
    assert len(found) <= SNIPPET and "\n" not in found
    assert words[:4] == found[:4] or found == "a b"
