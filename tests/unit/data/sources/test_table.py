import unicodedata
from dataclasses import MISSING, fields

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.manifest import build
from alvision.data.sources.table import OPTIONAL_COLUMNS
from tests.conftest import paint


@pytest.fixture
def root(tmp_path):
    for name in ("a.png", "sub/b.png", "sub/c d.png"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        paint(0, "ok").save(path)
    return tmp_path / "root"


def csv(root, text, encoding="utf-8", /, **settings):
    (root / "list.csv").write_text(text, encoding=encoding, newline="")
    return build(DataConfig(**{"kind": "csv", "root": str(root), "file": "list.csv"} | settings))


def parquet(root, columns, **settings):
    pq.write_table(pa.table(columns), root / "list.parquet")
    return build(
        DataConfig(**{"kind": "parquet", "root": str(root), "file": "list.parquet"} | settings)
    )


def test_default_columns_are_those_of_the_schema():
    defaults = {f.name: f.default for f in fields(DataConfig) if f.default is not MISSING}
    assert {name: defaults[name] for name in OPTIONAL_COLUMNS} == OPTIONAL_COLUMNS


def test_all_columns_are_read(root):
    manifest = csv(
        root,
        "path,label,group,split\nsub/b.png,worn,lot2,TEST\na.png,ok,lot1,train\nsub/c d.png,,,\n",
    )
    assert manifest.ids == ("a.png", "sub/b.png", "sub/c d.png")
    assert manifest.truth == ("ok", "worn", None)
    assert manifest.groups == ("lot1", "lot2", None)
    assert manifest.splits == ("train", "test", None)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_and_byte_order_mark(root, separator, encoding):
    text = "path,label\r\na.png,größe\r\n\r\n".replace(",", separator)
    manifest = csv(root, text, encoding)
    assert (manifest.ids, manifest.truth) == (("a.png",), ("größe",))


def test_only_the_path_is_needed(root):
    manifest = csv(root, "path\na.png\n")
    assert manifest.truth == manifest.groups == manifest.splits == (None,)


def test_paths_are_relative_to_the_file_without_a_root(root):
    manifest = csv(root, "path\nsub/b.png\n", root=None, file=str(root / "list.csv"))
    assert manifest.ids == ("sub/b.png",) and manifest.root == root


def test_absolute_dotted_and_windows_paths_below_the_root(root):
    manifest = csv(root, f"path\n{root / 'a.png'}\n.\\sub\\b.png\nsub/../sub/c d.png\n")
    assert manifest.ids == ("a.png", "sub/b.png", "sub/c d.png")


@pytest.mark.parametrize("path", ["../outside.png", "sub/../../outside.png", "/etc/x.png", "."])
def test_paths_outside_the_root_are_refused(root, path):
    paint(0, "ok").save(root.parent / "outside.png")
    with pytest.raises(UserError, match="not a file below"):
        csv(root, f"path\n{path}\n")


def test_other_normal_form_on_disk_is_found(root):
    stored = root / unicodedata.normalize("NFD", "größe.png")
    paint(0, "ok").save(stored)
    manifest = csv(root, f"path\n{unicodedata.normalize('NFC', 'größe.png')}\n")
    assert manifest.ids == (unicodedata.normalize("NFC", "größe.png"),)
    assert manifest.paths[0].is_file()


def test_twice_listed_and_missing_images_are_named(root):
    with pytest.raises(UserError, match=r"1 ids occur more than once, first 'a\.png'"):
        csv(root, "path\na.png\n./a.png\n")
    with pytest.raises(UserError, match=r"2 of 3 images .* missing, first .*gone1\.png"):
        csv(root, "path\na.png\ngone1.png\ngone2.png\n")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path_column": "file"}, r"list\.csv has no column 'file' \(data\.path_column\).*path, l"),
        ({"label_column": "class"}, r"no column 'class' \(data\.label_column\)"),
        ({"group_column": "lot"}, r"no column 'lot' \(data\.group_column\)"),
        ({"split_column": "part"}, r"no column 'part' \(data\.split_column\)"),
        ({"group_by": "column"}, r"no column 'group' \(data\.group_column\)"),
        ({"file": None}, r"needs data\.file="),
        ({"file": "other.csv"}, r"other\.csv does not exist"),
        ({"root": "nowhere"}, r"nowhere does not exist"),
    ],
)
def test_missing_columns_and_files_are_named(root, settings, message):
    with pytest.raises(UserError, match=message):
        csv(root, "path,label\na.png,ok\n", **settings)


def test_columns_can_be_switched_off(root):
    text = "path,label,split\na.png,ok,validation\n"
    with pytest.raises(UserError, match="has 'validation': allowed are train, test"):
        csv(root, text)
    manifest = csv(root, text, split_column=None, label_column=None)
    assert manifest.splits == manifest.truth == (None,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("path,label\n", "lists no image"),
        ("path,path\na.png,b.png\n", "two columns of one name"),
        ("path,label\na.png\n", r"line 2: 1 fields where the header has 2"),
        ('path\n"a.png\n', "is not a CSV table"),
        ("path,label\n,ok\n", "lists '', which is not a file"),
    ],
)
def test_broken_tables_are_refused(root, text, message):
    with pytest.raises(UserError, match=message):
        csv(root, text)


def test_other_encodings_are_refused(root):
    with pytest.raises(UserError, match="not UTF-8: save it as CSV UTF-8"):
        csv(root, "path,label\na.png,größe\n", "cp1252")


def test_group_by_overrides_the_column(root):
    text = "path,group\nsub/b.png,lot1\nsub/c d.png,lot2\n"
    assert csv(root, text).groups == ("lot1", "lot2")
    assert csv(root, text, group_by="column").groups == ("lot1", "lot2")
    assert csv(root, text, group_by="parent").groups == ("sub", "sub")


def test_parquet_reads_numbers_as_names(root):
    manifest = parquet(
        root,
        {"path": ["a.png", "sub/b.png"], "label": [1.0, None], "group": [7, 8], "other": [[1], []]},
    )
    assert manifest.truth == ("1", None) and manifest.groups == ("7", "8")


def test_parquet_names_missing_columns_and_broken_files(root):
    with pytest.raises(UserError, match=r"no column 'path' .* its columns are: file"):
        parquet(root, {"file": ["a.png"]})
    (root / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        build(DataConfig(kind="parquet", root=str(root), file="broken.parquet"))


@pytest.mark.parametrize("labels", [["ok", "worn", "ok;worn"], ["ok", "worn", "['ok', 'worn']"]])
def test_a_label_of_several_classes_is_no_class(root, labels):
    rows = zip(("a.png", "sub/b.png", "sub/c d.png"), labels, strict=True)
    text = "path,label\n" + "".join(f'{path},"{label}"\n' for path, label in rows)
    with pytest.raises(UserError, match=r"list\.csv, column 'label': .*one class here: keep one"):
        csv(root, text)


def test_a_column_of_lists_is_refused(root):
    columns = {"path": ["a.png", "sub/b.png"], "label": [["ok"], ["ok", "worn"]]}
    with pytest.raises(UserError, match=r"\['ok'\] is a list of classes .*one class here"):
        parquet(root, columns)


def test_several_rows_of_one_image_are_refused(root):
    with pytest.raises(UserError, match=r"'a.png'.*one row and one class"):
        csv(root, "path,label\na.png,ok\na.png,worn\n")
