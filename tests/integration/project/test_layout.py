"""Every folder says what belongs in it, and ARCHITECTURE.md shows the tree that is there."""

import ast
import re

import pytest

from tests.integration.project.test_scripts import script
from tests.support import PROJECT

tree = script("architecture_tree")
FOLDERS = [path for path in tree.folders(PROJECT / "alvision") if path != PROJECT / "alvision"]
PACKAGES = [path for path in FOLDERS if (path / "__init__.py").exists()]
TOP = ("benchmarks", "configs", "docs", "notebooks", "scripts", "tests")
# A paragraph that only praises what is in a folder does not say what is not.
LIMIT = re.compile(r"\b(no|not|nor|nothing|never|neither|none|only|alone)\b", re.I)


def name_of(path):
    return path.relative_to(PROJECT).as_posix()


def docstring(package):
    source = (package / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or ""


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_a_package_says_what_may_and_what_may_not_be_in_it(package):
    first, _, rest = docstring(package).partition("\n\n")
    assert len(first.split()) >= 4, "its first line says what it holds"
    assert LIMIT.search(rest), "the paragraph after it says what may not be in it"


@pytest.mark.parametrize("name", TOP)
def test_a_folder_beside_the_package_says_what_may_and_what_may_not_be_in_it(name):
    text = (PROJECT / name / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) >= 15 and LIMIT.search(text)


def test_a_folder_without_python_is_named_by_the_package_it_is_in():
    plain = [path for path in FOLDERS if path not in PACKAGES]
    assert len(plain) > 3
    assert [name_of(p) for p in plain if f"`{p.name}/`" not in docstring(p.parent)] == []


def test_the_tree_in_architecture_is_the_tree():
    text = tree.DOCUMENT.read_text(encoding="utf-8")
    shown = re.search(r"<!-- tree:begin -->\n(.*?)\n<!-- tree:end -->", text, re.S)[1]
    right = tree.tree()
    assert shown == right, f"run: python scripts/architecture_tree.py --write\n\n{right}"
