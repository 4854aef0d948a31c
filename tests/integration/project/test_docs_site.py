"""The documentation site has every page, and asks no other server for anything."""

import tomllib

import pytest

from tests.integration.project.test_scripts import script
from tests.support import PROJECT

SETTINGS = (PROJECT / "zensical.toml").read_text(encoding="utf-8")
site = script("build_docs")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "pages"
    site.gather(folder)
    return folder


def test_every_page_is_in_the_navigation_and_the_other_way_round(pages):
    assert site.forgotten(pages) == []
    named = list(site.listed(tomllib.loads(SETTINGS)["project"]["nav"]))
    assert [name for name in named if not (pages / name).exists()] == []
    assert len(named) == len(set(named)) > 30


def test_every_package_has_its_reference(pages):
    index = (pages / "reference/README.md").read_text(encoding="utf-8")
    for name in site.packages():
        assert f"::: alvision.{name}\n" in (pages / f"reference/{name}.md").read_text("utf-8")
        assert f"[alvision.{name}]({name}.md) | {site.summary(name)}" in index


def test_every_decision_is_in_the_index_with_its_date_and_its_alternatives():
    folder = PROJECT / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    files = sorted(folder.glob("[0-9]*.md"))
    numbers = [path.name[:3] for path in files]
    assert len(set(numbers)) == len(numbers) > 30
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert f"]({path.name})" in index
        for part in ("\nDate: 20", "Status: ", "\n## Context", "\n## Decision", "\n## Rejected"):
            assert part in text, path.name


def test_nothing_is_asked_of_another_server():
    assert "://" not in SETTINGS
    assert tomllib.loads(SETTINGS)["project"]["theme"]["font"] is False


def test_examples_are_fenced_one_by_one():
    pytest.importorskip("griffe")
    fenced = script("fence_doctests").fenced
    assert fenced("A.\n\n>>> 1\n1\n\nB.\n\n>>> 2\n2") == (
        "A.\n\n```pycon\n>>> 1\n1\n```\n\nB.\n\n```pycon\n>>> 2\n2\n```"
    )
    assert fenced("No example.") == "No example."
