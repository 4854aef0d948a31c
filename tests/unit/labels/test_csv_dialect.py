import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.labels.csv_dialect import read_table, write_table

TEXT = "id,label\r\nä 1.png,ok\r\n"


def cells(path):
    return [row.cells for row in read_table(path).rows]


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-8"),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("cp1252"),
        TEXT.replace(",", "\t").encode("utf-16"),
        TEXT.replace(",", ";").encode("utf-8-sig"),
        TEXT.replace("\r", "").replace("id", " ID ").encode(),
        TEXT.replace("\r\n", ",,\r\n").encode() + b",,,\r\n\r\n",
        TEXT.replace("ä 1.png", '"ä 1.png"').rstrip().encode(),
    ],
)
def test_tables_as_spreadsheets_save_them(tmp_path, data):
    (tmp_path / "t.csv").write_bytes(data)
    assert cells(tmp_path / "t.csv") == [{"id": "ä 1.png", "label": "ok"}]


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path):
    (tmp_path / "t.csv").write_text('id,label\n"a\nb",ok\n\nc\n', encoding="utf-8")
    table = read_table(tmp_path / "t.csv")
    assert [(row.number, row.cells["id"], row.cells["label"]) for row in table.rows] == [
        (2, "a\nb", "ok"),
        (4, "c", ""),
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'id,label\na.png,"o', "not a whole CSV"),
        (b"id,label,by\na.png,ok", "inside its last row, 2"),
        (b"id,label\na.png,ok,worn\n", "row 2: more cells"),
        (b"id,id\na,b\n", "two columns"),
        (b"PK\x03\x04...", "workbook"),
        (b"id,label\n\x81\xff\n", "not text"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, data, told):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(UserError, match=told):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(("place", "told"), [("missing.csv", "does not exist"), (".", "read")])
def test_what_is_no_file_is_told(tmp_path, place, told):
    with pytest.raises(UserError, match=told):
        read_table(tmp_path / place)


def test_missing_columns_are_named(tmp_path):
    (tmp_path / "t.csv").write_text("name,label\n")
    with pytest.raises(UserError, match=r"no column id, by .*found: name, label"):
        read_table(tmp_path / "t.csv").require("id", "label", "by")
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(UserError, match="found: nothing"):
        read_table(tmp_path / "t.csv").require("id")


CELL = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.slow
@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=4), st.booleans())
@settings(max_examples=60)
def test_any_cell_comes_back(tmp_path_factory, rows, bom):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write_table(path, ("a", "b", "c"), rows, bom=bom)
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    assert [tuple(row.cells.values()) for row in read_table(path).rows] == kept


def test_a_table_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_table(tmp_path / "file" / "t.csv", ("a",), [])


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "new" / "t.csv"
    write_table(path, ("a", "b"), [(1, None)] * 9)
    write_table(path, ("a", "b"), [(1.5, "x")])
    assert path.read_bytes() == b"a,b\r\n1.5,x\r\n"
    assert list(path.parent.iterdir()) == [path]
