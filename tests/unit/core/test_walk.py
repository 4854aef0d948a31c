"""One rule says which files below a folder are part of the data, and everybody follows it."""

import os

import pytest
from PIL import Image

from alvision.core.errors import UserError
from alvision.core.walk import files_below
from alvision.deploy.bundle.predict import images_in
from alvision.watch.inbox import Inbox
from tests.support.predict_py import load_predict_py
from tests.support.rubbish import RUBBISH

IMAGES = ["ok/a.png", "worn/deeper/b.png"]


@pytest.fixture
def root(tmp_path):
    for name in (*IMAGES, *RUBBISH, "ok/Thumbs.db", "ok/desktop.ini", "worn/.DS_Store"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), len(name)).save(path, "PNG")
    return tmp_path / "photos"


def names(paths, root):
    return sorted(path.relative_to(root).as_posix() for path in paths)


def test_a_walk_leaves_out_what_was_left_behind(root):
    assert names(files_below(root), root) == IMAGES


def test_predict_leaves_it_out(root):
    assert names(images_in(root), root) == IMAGES


def test_predict_py_leaves_it_out(root, tmp_path):
    assert names(load_predict_py(tmp_path).files_below(root), root) == IMAGES


def test_a_watched_inbox_leaves_it_out(root):
    assert sorted(one.name for one in Inbox(root, settle=0).scan()) == IMAGES


def test_a_link_back_ends(root):
    (root / "ok" / "again").symlink_to(root)
    (root / "linked").symlink_to(root / "worn")
    assert names(files_below(root), root) == ["linked/deeper/b.png", *IMAGES]


def test_a_folder_that_cannot_be_read_is_named(root):
    if not os.geteuid():
        pytest.skip("nothing is closed to the superuser")
    (root / "ok").chmod(0)
    try:
        with pytest.raises(UserError, match=r"cannot read the folder .*/ok"):
            images_in(root)
    finally:
        (root / "ok").chmod(0o755)
