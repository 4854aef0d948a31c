import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.data.hashes import content_hashes
from alvision.data.manifest import Manifest
from alvision.labels.answers import check_classes
from alvision.labels.consensus import consensus
from alvision.labels.exchange.folders import export_folders, folder_name, import_folders
from alvision.labels.store import LabelStore
from tests.support.rubbish import RUBBISH
from tests.unit.labels.conftest import event

NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12
)


def usable(names):
    try:
        check_classes(names)
    except UserError:
        return False
    return len({name.casefold() for name in names}) == len(names)


def data(root, *names):
    """Make files with different bytes; return what is known of them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    ids, none = tuple(sorted(names)), (None,) * len(names)
    manifest = Manifest(root, ids, tuple(root / id for id in ids), none, none, none)
    return manifest, dict(content_hashes(manifest))


IDS = ("a.png", "sub/ü 1,2.png", "sub/a.png")


def labels(store):
    return {id: settled.label for id, settled in consensus(store.events()).items()}


@pytest.mark.slow
@given(st.lists(NAMES, min_size=3, max_size=3).filter(usable))
@settings(max_examples=40)
def test_any_class_name_goes_out_and_comes_back(tmp_path_factory, classes):
    root = tmp_path_factory.mktemp("round")
    manifest, hashes = data(root / "photos", *IDS)
    with LabelStore(root / "1.db") as store, LabelStore(root / "2.db") as other:
        said = zip(IDS, classes, strict=True)
        store.append([event(id, id, label=name) for id, name in said], hash_of=hashes.get)
        settled = consensus(store.events())
        assert export_folders(settled, root / "out", manifest.path) == 3
        known = {"ids": IDS, "hashes": hashes, "classes": classes}
        assert import_folders(other, root / "out", **known).added == 3
        assert labels(other) == labels(store) == dict(zip(IDS, classes, strict=True))
        assert import_folders(other, root / "out", **known).added == 0


@pytest.mark.parametrize("name", ["..", ".", "a/../b", "con.", "a\\b", "x ", "C:", "\n"])
def test_no_name_leaves_its_folder(name):
    made = folder_name(name)
    assert not set(made) & set('/\\:*?"<>|\n')
    assert not made.startswith(".")
    assert not made.endswith((".", " "))


def bring(tmp_path, place, content=b"a.png", **changes):
    _, hashes = data(tmp_path / "photos", *IDS)
    folder = tmp_path / "sorted"
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_bytes(content)
    known = {"ids": IDS, "hashes": hashes, "classes": ["ok", "worn"]} | changes
    with LabelStore(tmp_path / "labels.db") as store:
        counts = import_folders(store, folder, **known)
        return counts, labels(store)


def test_an_image_is_known_by_its_bytes(tmp_path):
    counts, found = bring(tmp_path, "Worn/deeper/renamed.png")
    assert (counts.added, found) == (1, {"a.png": "worn"})


def test_a_wrong_folder_imports_nothing(tmp_path):
    bring(tmp_path, "ok/1.png")
    with pytest.raises(UserError, match="another class's folder"):
        bring(tmp_path, "worn/1.png")
    (tmp_path / "sorted" / "worn" / "1.png").unlink()
    with pytest.raises(UserError, match=r"rows name images.*'ok/new.png'"):
        bring(tmp_path, "ok/new.png", b"unknown")
    (tmp_path / "sorted" / "ok" / "new.png").unlink()
    with pytest.raises(UserError, match="bent is not one of ok, worn, skip, unsure"):
        bring(tmp_path, "bent/1.png")
    with pytest.raises(UserError, match="no class folders"):
        known = {"ids": IDS, "hashes": {}, "classes": ["ok"]}
        import_folders(LabelStore(tmp_path / "x.db"), tmp_path / "nowhere", **known)


def test_what_file_systems_leave_behind_is_neither_class_nor_image(tmp_path):
    for name in (*RUBBISH, "ok/Thumbs.db"):
        (tmp_path / "sorted" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sorted" / name).write_bytes(b"rubbish")
    counts, found = bring(tmp_path, "worn/1.png")
    assert (counts.added, found) == (1, {"a.png": "worn"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".DS_Store").touch()
    assert export_folders({}, tmp_path / "out", lambda id: None) == 0


def test_nothing_is_written_over(tmp_path):
    manifest, _ = data(tmp_path / "photos", *IDS)
    with pytest.raises(UserError, match="not empty"):
        export_folders({}, tmp_path / "photos", manifest.path)
    settled = consensus([event("1", "gone.png")])
    with pytest.raises(UserError, match=r"gone\.png has no file"):
        export_folders(settled, tmp_path / "out", lambda id: tmp_path / id)
