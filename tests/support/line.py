"""A small bundle for the tests of a watched line, and what they do with it."""

import os
from pathlib import Path

import pytest

from alvision.cli import main
from alvision.watch.records import FILE, Records
from tests.conftest import paint
from tests.support.parts import imported


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory) -> Path:
    """Return a bundle that tells ok from worn."""
    imported("onnx")
    imported("onnxruntime")
    from tests.support.bundles import make

    return make(tmp_path_factory.mktemp("small") / "b")


class Shop:
    """A folder with an inbox and a line."""

    def __init__(self, root: Path, bundle: Path) -> None:
        self.root, self.bundle = root, bundle
        self.inbox, self.line = root / "inbox", root / "line"
        self.inbox.mkdir()

    def deliver(self, numbers, change=lambda image: image, worn=lambda i: i % 4 == 0) -> None:
        """Put drawn parts into the inbox, as old files."""
        for i in numbers:
            self.put(f"{i:05d}.png", change(paint(i, "worn" if worn(i) else "ok")))

    def put(self, name: str, image) -> Path:
        """Put an image, or bytes, into the inbox as an old file."""
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            image.save(path)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        return path

    def words(self, *more: str) -> list[str]:
        """Return the command."""
        places = [f"bundle={self.bundle}", f"images={self.inbox}", f"to={self.line}"]
        return ["watch", *places, *more]

    def watch(self, *more: str) -> int:
        """Work on what is there."""
        return main(self.words("once=true", "settle=0.1", *more))

    def rows(self, where: str = "1"):
        """Return rows of the records."""
        records = Records(self.line / FILE)
        try:
            return records.rows(where)
        finally:
            records.close()

    def files(self) -> list[str]:
        """Return the files that were sorted."""
        places = [p for p in self.line.iterdir() if p.is_dir() and not p.name.startswith("queue")]
        found = [file for place in places for file in place.rglob("*") if file.is_file()]
        return sorted(file.relative_to(self.line).as_posix() for file in found)


@pytest.fixture
def shop(tmp_path, small_bundle) -> Shop:
    """Return a shop that has received nothing yet."""
    return Shop(tmp_path, small_bundle)
