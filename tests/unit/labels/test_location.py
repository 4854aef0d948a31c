from pathlib import Path

import pytest

from alvision.core.errors import UserError
from alvision.labels import location
from alvision.labels.location import (
    file_system,
    labels_location,
    on_network,
    read_audit,
    write_audit,
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Put the platform's folder for user data into a temporary one."""
    folder = tmp_path / "home"
    monkeypatch.setattr(location.platformdirs, "user_data_path", lambda app: folder / app)
    return folder


@pytest.fixture
def root(tmp_path):
    (tmp_path / "Teile 1").mkdir()
    return (tmp_path / "Teile 1").resolve()


@pytest.fixture
def locked(monkeypatch):
    """Make folders unwritable by their names, as a read-only drive does."""
    names = set()
    really = location._writable
    monkeypatch.setattr(location, "_writable", lambda f: f.name not in names and really(f))
    return names


def test_labels_lie_beside_the_data(root, home):
    assert labels_location(root) == root.parent / "Teile 1.alvision" / "labels.db"
    assert labels_location(root, "line 3") == root.parent / "line 3.alvision" / "labels.db"
    assert labels_location(root).parent.is_dir()
    assert not home.exists()


def test_beside_read_only_data_they_lie_at_home_for_good(root, home, locked):
    locked.add("Teile 1.alvision")
    path = labels_location(root)
    assert path.is_relative_to(home)
    assert (path.parent / "root.txt").read_text(encoding="utf-8") == f"{root.resolve()}\n"
    assert labels_location(root) == path
    path.touch()
    locked.clear()
    assert labels_location(root) == path


def test_two_roots_of_one_name_have_labels_of_their_own(tmp_path, home, locked):
    locked.add("x.alvision")
    roots = [tmp_path / side / "x" for side in ("left", "right")]
    for root in roots:
        root.mkdir(parents=True)
    assert len({labels_location(root) for root in roots}) == 2


def test_a_store_that_cannot_be_written_is_not_forked(root, home, locked):
    labels_location(root).touch()
    locked.add("Teile 1.alvision")
    with pytest.raises(UserError, match=r"cannot be written.*labels\.url"):
        labels_location(root)


def test_where_nothing_can_be_written_the_way_out_is_named(root, home, monkeypatch):
    monkeypatch.setattr(location, "_writable", lambda folder: False)
    with pytest.raises(UserError, match=r"labels\.url"):
        labels_location(root)


def test_a_network_drive_is_refused(root, home, monkeypatch):
    monkeypatch.setattr(location, "on_network", lambda path: True)
    with pytest.raises(UserError, match=r"network drive.*labels\.url"):
        labels_location(root)


def test_a_missing_root_is_told_and_nothing_is_made(tmp_path, home):
    with pytest.raises(UserError, match="not a folder"):
        labels_location(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_tried_not_trusted(tmp_path):
    assert location._writable(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    assert not location._writable(tmp_path / "file" / "b")


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/data/x", "ext4"), ("/mnt/nas/x", "nfs4"), ("/mnt/nas 2/x", "cifs"), ("/mnt/nasty", "ext4")],
)
def test_the_deepest_mount_holds_a_path(path, kind):
    mounts = (
        "none / overlay rw\n/dev/a / ext4 rw\nn:/ /mnt/nas nfs4 rw\n//n /mnt/nas\\0402 cifs rw\nx"
    )
    assert file_system(Path(path), mounts) == kind


def test_this_machine_is_asked(tmp_path):
    assert not on_network(tmp_path)
    assert on_network(Path("//server/share/parts"))


def test_parts_come_back(tmp_path):
    path = tmp_path / "new" / "audit.csv"
    assert read_audit(path) == {}
    parts = {"lot, 2": "seal", " lot\n1": "pool", 'ä"b': "monitor"}
    write_audit(path, parts)
    assert read_audit(path) == parts
    assert list(read_audit(path)) == list(parts)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("group\nx\n", "no column part"),
        ("group,part\nx,train\n", "row 2: part 'train'"),
        ("group,part\nx,seal\nx,seal\nx,monitor\n", "row 4: group 'x' is in two parts"),
    ],
)
def test_wrong_parts_are_told(tmp_path, text, told):
    (tmp_path / "audit.csv").write_text(text)
    with pytest.raises(UserError, match=told):
        read_audit(tmp_path / "audit.csv")
