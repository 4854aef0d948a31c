"""What the server's thread does when it lists the images anew."""

import hashlib

import pytest

from alvision.core.errors import UserError
from alvision.page.server import _take_in
from alvision.page.state import Images


@pytest.fixture
def take_in(page, photos):
    """Return a function that lists the images as they are; None: nothing has changed."""
    said = []

    def take_in(listed="now"):
        def images():
            if isinstance(listed, UserError):
                raise listed
            there = {id: path for id, path in photos.items() if path.exists()}
            hashes = {id: hashlib.sha256(p.read_bytes()).hexdigest() for id, p in there.items()}
            return listed if listed is None else Images(there, frozenset(), hashes)

        return _take_in(page.page, images, said.append)

    take_in.said = said
    return take_in


def test_what_happened_is_said_in_the_terminal_and_on_the_page(page, photos, take_in):
    assert take_in()
    assert take_in.said == []
    photos["worn/03.png"].unlink()
    photos["worn/04.png"].rename(photos["worn/04.png"].with_name("a.png"))
    photos["worn/a.png"] = photos["worn/04.png"].with_name("a.png")
    assert take_in()
    line = (
        "1 photograph was moved and keeps its answers; 1 photograph is gone, its answers are kept"
    )
    assert (take_in.said, page.state()["news"]) == ([line], line)


def test_a_drive_that_is_gone_takes_no_image_away_and_comes_back(page, photos, take_in):
    assert take_in()
    root = photos["worn/00.png"].parent
    aside = root.rename(root.with_name("aside"))
    assert "cannot be read" in page.read("/api/next", by="ann", n=3)["message"]
    assert not take_in(UserError("data.root photos does not exist"))
    assert page.state()["news"] == "data.root photos does not exist"
    aside.rename(root)
    assert not take_in(None)
    assert len(page.items(n=3)) == 3
