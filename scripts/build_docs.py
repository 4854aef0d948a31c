"""Build the documentation site: `python scripts/build_docs.py`; any warning is a failure.

The site is made of the project's own documents, in their own folders, so that a link which works
in the repository works in the site. One page for each package is added: its reference, read from
the docstrings. Nothing is downloaded, and no page asks for anything of another server.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = PROJECT / "zensical.toml"
DOCUMENTS = ("*.md", "LICENSE", "docs/**/*.md", "docs/*.png", "notebooks/*.ipynb")
REFERENCE = "reference"


def packages() -> list[str]:
    """Return the names of alvision's packages one level deep, which get a page each."""
    return sorted(path.parent.name for path in PROJECT.glob("alvision/*/__init__.py"))


def page(package: str) -> str:
    """Return the reference page of a package: its docstring, and everything public below it."""
    name = f"alvision.{package}"
    return f"# {name}\n\n::: {name}\n    options:\n      show_root_heading: false\n"


def summary(package: str) -> str:
    """Return the first line of a package's docstring."""
    source = (PROJECT / "alvision" / package / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]


def index() -> str:
    """Return the first page of the reference: the commands from Python, and a list of packages."""
    rows = [f"| [alvision.{name}]({name}.md) | {summary(name)} |" for name in packages()]
    table = "\n".join(["| package | what is in it |", "| --- | --- |", *rows])
    return f"# API reference\n\n{table}\n\n## The commands from Python\n\n::: alvision.api\n"


def gather(to: Path) -> None:
    """Copy the documents to an empty folder and write the reference beside them."""
    shutil.rmtree(to, ignore_errors=True)
    for pattern in DOCUMENTS:
        for path in PROJECT.glob(pattern):
            target = to / path.relative_to(PROJECT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (to / REFERENCE).mkdir(parents=True)
    (to / REFERENCE / "README.md").write_text(index(), encoding="utf-8")
    for name in packages():
        (to / REFERENCE / f"{name}.md").write_text(page(name), encoding="utf-8")


def listed(nav: Any) -> Iterator[str]:
    """Return the pages that the site's navigation names, whatever their depth."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from listed(part)


def forgotten(source: Path) -> list[str]:
    """Return the pages that the navigation does not reach; each decision is in an index instead."""
    settings = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
    named = set(listed(settings["project"]["nav"]))
    pages = {path.relative_to(source).as_posix() for path in source.rglob("*.md")}
    return sorted(name for name in pages - named if not name.startswith("docs/decisions/"))


def main() -> int:
    """Build the site into the folder that zensical.toml names; return the exit status."""
    settings = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["project"]
    source = PROJECT / settings["docs_dir"]
    gather(source)
    if left_out := forgotten(source):
        print(f"error: add to nav in zensical.toml: {', '.join(left_out)}", file=sys.stderr)
        return 1
    # Removed, as a page that is gone would stay and its links with it.
    shutil.rmtree(PROJECT / settings["site_dir"], ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run([*command, "--config-file", str(SETTINGS)], cwd=PROJECT).returncode


if __name__ == "__main__":
    sys.exit(main())
