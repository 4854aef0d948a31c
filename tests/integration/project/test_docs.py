"""What the documents promise exists, and no file names a machine or a package registry."""

import re
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import PROJECT

FOLDERS = ("alvision", "configs", "docs", "notebooks", "scripts", "tests", ".ci", ".github")
TEXT = {"", ".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".html", ".css", ".js", ".ipynb"}
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("*/*.md"), *PROJECT.glob("docs/*/*.md")])
# A module is one thought; beyond this it is usually two. It is a bound, not an aim: files must not
# be cut to keep it.
LONGEST = 480
README = (PROJECT / "README.md").read_text(encoding="utf-8")

# Written in two parts, so that this file does not name them either.
FOREIGN = [
    first + second
    for first, second in (
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("download.", "pytorch.org"),
        ("anaconda", ".org"),
        ("npm", "js.org"),
        ("/wo", "rk/"),
        ("/opt/", "pypi"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("/Us", "ers/"),
    )
]


def files() -> list[Path]:
    """Return the project's own text files."""
    found = [path for path in PROJECT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in FOLDERS:
        found += [p for p in (PROJECT / folder).rglob("*") if p.is_file()]
    return sorted(p for p in found if p.suffix in TEXT and "__pycache__" not in p.parts)


def id_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def test_no_file_names_a_registry_or_a_machine():
    assert len(files()) > 30
    named = [
        f"{id_of(path)}: {name}"
        for path in files()
        for name in FOREIGN
        if name in path.read_text(encoding="utf-8")
    ]
    assert named == []


def test_files_are_short():
    sources = [path for path in files() if path.suffix == ".py"]
    lengths = {id_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in sources}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=id_of)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in t]
    assert [t for t in targets if not (path.parent / t).exists()] == []


def test_every_make_target_that_the_documents_name_exists():
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = {t for p in DOCUMENTS for t in re.findall(r"\bmake ([a-z-]+)[`\n ]", code(p))}
    assert {"demo", "test"} <= named <= targets


def code(path: Path) -> str:
    """Return a document's code blocks and spans, one a line."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return "\n".join([*blocks, *spans, ""])


# The changelog and the decisions speak of the past.
OF_TODAY = [p for p in DOCUMENTS if p.name != "CHANGELOG.md" and p.parent.name != "decisions"]


@pytest.mark.filterwarnings("ignore")  # of libraries that are imported here first
@pytest.mark.parametrize("path", OF_TODAY, ids=id_of)
def test_every_dotted_name_that_a_document_mentions_exists(path):
    text = re.sub(r"https?://\S+", "", path.read_text(encoding="utf-8"))
    named = set(re.findall(r"\balvision(?:\.[A-Za-z_]\w*)+", text))
    missing = [name for name in sorted(named) if not exists(name)]
    assert missing == []


def exists(name: str) -> bool:
    """Tell whether a dotted name is a module or something in one; an old name does not count."""
    from alvision.core.moved import MOVED

    module, _, attribute = name.rpartition(".")
    if any(name == old or name.startswith(f"{old}.") for old in MOVED):
        return False
    try:
        return find_spec(name) is not None or hasattr(import_module(module), attribute)
    except ModuleNotFoundError:
        return hasattr(import_module(module), attribute)


@pytest.mark.parametrize("path", OF_TODAY, ids=id_of)
def test_every_file_of_the_project_that_a_document_mentions_exists(path):
    named = re.findall(
        r"`((?:alvision|configs|scripts|tests|docs|notebooks)/[\w./-]+)`", code_spans(path)
    )
    own = {"configs/acquisition/mine.yaml", "configs/logger/mine.yaml"}  # the reader's own
    assert [name for name in named if name not in own and not (PROJECT / name).exists()] == []


def code_spans(path: Path) -> str:
    """Return a document without its code blocks."""
    return re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)


def test_every_group_choice_that_the_readme_names_exists():
    groups = {path.name for path in (PROJECT / "configs").iterdir() if path.is_dir()}
    named = re.findall(r"(?<![\w.])(\w+)=(\w+)\b", code(PROJECT / "README.md"))
    choices = {(group, choice) for group, choice in named if group in groups}
    missing = [c for c in choices if not (PROJECT / "configs" / c[0] / f"{c[1]}.yaml").exists()]
    assert len(choices) > 3
    assert missing in ([], [("acquisition", "mine")])  # the reader's own


def test_every_command_and_key_that_the_readme_names_exists():
    from alvision.cli.help import COMMANDS
    from alvision.config.compose import GROUPS, keys

    text = code(PROJECT / "README.md")
    assert set(re.findall(r"(?:^|python -m )alvision ([a-z]+)", text, re.M)) == set(COMMANDS)
    named = set(re.findall(r"(?<![\w.-])([a-z][a-z_.]*)=", text))
    assert len(named) > 8
    others = {
        "seeds",
        "jobs",
        "to",
        "from",
        "by",
        "score",
        "bundle",
        "escape",
        "confidence",
        "overkill",
        "pool",
        "root",
        "images",
        "format",
        "over",
        "platform",
        "weights",
        "logger.offline",
        "logger.tracking_uri",
    }
    assert named - set(keys()) - set(GROUPS) - others == set()


def test_the_license_is_apache_2():
    text = (PROJECT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_direct_dependency_is_pinned():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.match(r"[\w.-]+", line)[0].lower() for part in wanted for line in part}
    lines = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    assert names - pinned == {"alvision"}
