import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.hashes import content_hashes
from alvision.data.manifest import build
from alvision.data.sources.rows import Shown
from tests.conftest import paint

ROWS = [
    {"id": "b", "text": "oil leaks", "label": "urgent", "site": "North", "note": ""},
    {"id": "a", "text": " all fine\nsince May ", "label": "", "site": "South", "note": "old"},
]


def table(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def listed(file, **more):
    settings = {"path_column": "id", "text_column": "text", "file": str(file)} | more
    return build(DataConfig(kind="text", **settings))


def test_people_see_the_text_and_what_gives_no_answer_away(tmp_path):
    manifest = listed(table(tmp_path / "t.csv", ROWS))
    assert manifest.ids == ("a", "b") and manifest.truth == (None, "urgent")
    assert manifest.shown == (
        Shown("all fine\nsince May", (("site", "South"), ("note", "old"))),
        Shown("oil leaks", (("site", "North"),)),
    )
    assert manifest.features is None and manifest.is_text


def test_parquet_gives_what_csv_gives(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    by_csv, by_parquet = listed(table(tmp_path / "t.csv", ROWS)), listed(tmp_path / "t.parquet")
    assert (by_csv.ids, by_csv.shown) == (by_parquet.ids, by_parquet.shown)


def test_an_image_stands_beside_a_text(tmp_path):
    paint(0, "ok", side=8).save(tmp_path / "p.png")
    file = table(tmp_path / "t.csv", [row | {"photo": "p.png"} for row in ROWS])
    manifest = listed(file, image_column="photo")
    assert manifest.paths == (tmp_path / "p.png",) * 2
    assert all(one.pictured and "photo" not in dict(one.fields) for one in manifest.shown)


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (ROWS, {"text_column": "words"}, "no column 'words'.*data.text_column"),
        (ROWS, {"text_column": None}, "needs data.text_column"),
        (ROWS, {"image_column": "site"}, "images in column 'site'.*missing"),
        ([ROWS[0] | {"text": " "}], {}, "1 of 1 rows have no text"),
        ([ROWS[0] | {"id": ""}], {}, "1 of 1 rows have no id"),
        ([ROWS[0], ROWS[0]], {}, "more than once"),
        ([ROWS[0] | {"photo": "../x.png"}], {"image_column": "photo"}, "not a file below"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_one_line(tmp_path, rows, settings, message):
    with pytest.raises(UserError, match=message):
        listed(table(tmp_path / "t.csv", rows), **settings)


@settings(max_examples=25)
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=5))
def test_equal_texts_and_no_others_have_one_name(tmp_path_factory, texts):
    file = tmp_path_factory.mktemp("t") / "t.parquet"
    texts = [text.strip() for text in texts]
    rows = [{"id": str(k), "text": text, "when": k} for k, text in enumerate(texts)]
    pq.write_table(pa.Table.from_pylist(rows), file)
    hashes = content_hashes(listed(file))
    named = [hashes[str(k)] for k in range(len(texts))]
    assert [[a == b for b in named] for a in named] == [[a == b for b in texts] for a in texts]


def test_embeddings_show_their_text_and_keep_their_features(tmp_path):
    rows = [{**row, "features": [1.0, k]} for k, row in enumerate(ROWS)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "e.parquet")
    plain = {"path_column": "id", "file": str(tmp_path / "e.parquet")}
    before = build(DataConfig(kind="embeddings", **plain))
    shown = build(DataConfig(kind="embeddings", text_column="text", **plain))
    assert not any(before.shown) and shown.shown[1] == Shown("oil leaks", (("site", "North"),))
    np.testing.assert_array_equal(shown.features, before.features)
    # A row is its embedding as before, so that answers of before go on counting.
    assert content_hashes(shown) == content_hashes(before) and not shown.is_text
