import re
import unicodedata
from dataclasses import fields

import pytest

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.manifest import SOURCES, Manifest, build
from tests.conftest import paint
from tests.support.rubbish import RUBBISH


def save(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        paint(0, "ok").save(path)


def folder(root, **settings) -> Manifest:
    return build(DataConfig(kind="folder", root=str(root), **settings))


def test_columns_align_and_ids_ascend(parts):
    manifest = folder(parts)
    assert len(manifest) == 36
    assert list(manifest.ids) == sorted(manifest.ids)
    assert manifest.ids[0] == "ok/000.png"
    assert manifest.row("worn/000.png") == 24
    assert manifest.path("worn/000.png") == parts / "worn" / "000.png"
    assert manifest.truth[0] == "ok" and manifest.truth[24] == "worn"
    columns = [getattr(manifest, field.name) for field in fields(manifest)]
    assert {len(column) for column in columns if isinstance(column, tuple)} == {36}
    assert manifest.features is None
    with pytest.raises(KeyError):
        manifest.path("nowhere.png")


def test_unknown_kind_names_the_known_ones():
    with pytest.raises(UserError, match=r"data\.kind=zip is unknown.*folder.*csv.*elpv"):
        build(DataConfig(kind="zip"))


def test_every_kind_is_documented():
    assert all(kind in DataConfig.__doc__ for kind in SOURCES)


@pytest.mark.parametrize("kind", ["folder", "class_folders"])
def test_missing_and_empty_roots_are_named(tmp_path, kind):
    with pytest.raises(UserError, match=r"needs data\.root="):
        build(DataConfig(kind=kind))
    with pytest.raises(UserError, match=r"nowhere does not exist"):
        build(DataConfig(kind=kind, root=str(tmp_path / "nowhere")))
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(UserError, match=re.escape(str(tmp_path)) + r".*jpg"):
        build(DataConfig(kind=kind, root=str(tmp_path)))
    with pytest.raises(UserError, match=r"notes\.txt is a file"):
        build(DataConfig(kind=kind, root=str(tmp_path / "notes.txt")))


def test_hidden_files_own_folders_and_other_files_are_skipped(tmp_path):
    save(tmp_path, "a.png", "B.JPG", "c.tiff", "d/e.webp", ".hidden.png", ".git/f.png")
    save(tmp_path, "parts.alvision/g.png")
    (tmp_path / "table.csv").write_text("path\n")
    assert folder(tmp_path).ids == ("B.JPG", "a.png", "c.tiff", "d/e.webp")


def test_classes_need_two_first_level_folders_and_nothing_else(tmp_path):
    save(tmp_path, "ok/1.png")
    assert folder(tmp_path).truth == (None,)
    save(tmp_path, "worn/1.png")
    assert folder(tmp_path).truth == ("ok", "worn")
    save(tmp_path, "worn/deeper/1.png")
    assert set(folder(tmp_path).truth) == {None}


def test_class_folders_take_the_first_level(tmp_path):
    save(tmp_path, "ok/lot1/1.png", "worn/1.png")
    cfg = DataConfig(kind="class_folders", root=str(tmp_path))
    assert build(cfg).truth == ("ok", "worn")
    save(tmp_path, "loose.png")
    with pytest.raises(UserError, match=r"1 images are directly.*loose\.png"):
        build(cfg)


def test_ids_do_not_change_when_files_are_added(tmp_path):
    save(tmp_path, "b/2.png", "c/3.png")
    before = folder(tmp_path)
    save(tmp_path, "a/1.png", "b/0.png")
    after = folder(tmp_path)
    assert set(before.ids) < set(after.ids)
    assert all(before.path(id) == after.path(id) for id in before.ids)


def test_spaces_and_umlauts_work_and_ids_are_nfc(tmp_path):
    root = tmp_path / "Prüf teile"
    decomposed = unicodedata.normalize("NFD", "Öl fleck/größe 1.png")
    save(root, decomposed, "gut/1.png")
    manifest = folder(root)
    assert manifest.ids == ("gut/1.png", "Öl fleck/größe 1.png")
    assert manifest.truth == ("gut", "Öl fleck")
    assert manifest.path("Öl fleck/größe 1.png").is_file()


def test_two_files_of_one_id_are_refused(tmp_path):
    names = [unicodedata.normalize(form, "größe.png") for form in ("NFC", "NFD")]
    save(tmp_path, *names)
    if len(list(tmp_path.glob("*.png"))) < 2:
        pytest.skip("this file system knows one form only")
    with pytest.raises(UserError, match=r"1 ids occur more than once.*größe"):
        folder(tmp_path)


def test_links_to_folders_are_followed_and_circles_end(tmp_path):
    save(tmp_path / "elsewhere", "1.png")
    save(tmp_path / "root", "here/2.png")
    try:
        (tmp_path / "root" / "linked").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "root" / "here" / "up").symlink_to(tmp_path / "root")
    except OSError:
        pytest.skip("no links here")
    assert folder(tmp_path / "root").ids == ("here/2.png", "linked/1.png")


def test_heic_without_its_extra_is_named(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("alvision.data.sources.folder.heic_is_supported", lambda: False)
    (tmp_path / "phone.HEIC").write_bytes(b"heic")
    with pytest.raises(UserError, match=r"pip install alvision\[heic\]"):
        folder(tmp_path)
    save(tmp_path, "a.png")
    assert folder(tmp_path).ids == ("a.png",)
    assert "1 HEIC files" in caplog.text


def test_names_that_are_not_utf8_are_set_aside_all_at_once(tmp_path):
    try:
        save(tmp_path, "ok/bad\udcff.png", "ok/bad\udcfe.png")
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such names")
    with pytest.raises(UserError, match=r"no image below .* is UTF-8, first ok/bad\\udcfe\.png"):
        folder(tmp_path)
    save(tmp_path, "ok/a.png", "worn/b.png")
    manifest = folder(tmp_path)
    assert manifest.ids == ("ok/a.png", "worn/b.png")
    assert manifest.set_aside == {
        "ok/bad\\udcfe.png": "the name is not UTF-8: rename it",
        "ok/bad\\udcff.png": "the name is not UTF-8: rename it",
    }
    save(tmp_path, "gr\udcfcn/c.png", "wei\udcdf/d.png")
    with pytest.raises(UserError, match=r"2 class folders .* gr\\udcfcn, wei\\udcdf; rename them"):
        folder(tmp_path)


def test_what_file_systems_leave_behind_is_no_image_and_no_class(tmp_path):
    save(tmp_path, "ok/a.png", "worn/b.png")
    save(tmp_path, *RUBBISH)
    manifest = folder(tmp_path)
    assert manifest.ids == ("ok/a.png", "worn/b.png")
    assert manifest.truth == ("ok", "worn")
