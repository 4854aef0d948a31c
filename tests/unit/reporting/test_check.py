import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from alvision.data.checks import CheckResult, Example, Finding, Table
from alvision.data.images import ImageSpec
from alvision.data.manifest import Manifest
from alvision.reporting.check import table, write
from tests.conftest import paint


@pytest.fixture
def manifest(tmp_path):
    ids = ("a.png", "b <i>.png")
    for number, id in enumerate(ids):
        paint(number, "ok").save(tmp_path / id)
    nothing = (None, None)
    return Manifest(tmp_path, ids, tuple(tmp_path / id for id in ids), nothing, nothing, nothing)


@pytest.fixture
def result():
    return CheckResult(
        images=3,
        readable=2,
        findings=(
            Finding(
                "error",
                "A [bold] <title>",
                "Detail & more.",
                "Do this.",
                (Example(("a.png", "b <i>.png"), "ok / worn"), Example(("gone.png",))),
                Table(("class", "images"), (("o<k", "2"),)),
            ),
            Finding("note", "Only a note"),
        ),
        passed=("no exact duplicates",),
        skipped=("no leak: not tested, no class is known yet",),
        hours=2.5,
        seconds_per_label=3.0,
        unreadable={"gone.png": "file is missing"},
    )


def test_the_page_tells_everything_in_one_file(result, manifest, tmp_path):
    path = tmp_path / "new folder" / "check.html"
    write(result, manifest, ImageSpec(32), path)
    html = path.read_text(encoding="utf-8")
    for words in ("1 error to repair", "A [bold] &lt;title&gt;", "Detail &amp; more.", "Do this.",
                  "ok / worn", "o&lt;k", "Only a note", "no exact duplicates", "2.5 hours",
                  "no class is known yet", "1 cannot be read"):  # fmt: skip
        assert words in html
    assert html.count("data:image/jpeg;base64,") == 2
    assert html.count("picture not shown") == 1
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    assert [file.name for file in path.parent.iterdir()] == ["check.html"]


def test_embeddings_have_no_pictures(result, manifest, tmp_path):
    features = replace(manifest, features=np.zeros((2, 4), dtype=np.float32))
    write(result, features, ImageSpec(32), tmp_path / "check.html")
    html = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert "<figure" not in html and "A [bold] &lt;title&gt;" in html


def test_the_terminal_table_shows_words_as_they_are(result):
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(table(result))
    text = console.export_text()
    for words in ("error", "A [bold] <title>", "Detail & more. Do this.", "no exact duplicates"):
        assert words in text
