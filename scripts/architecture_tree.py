"""Print the tree of alvision's packages; `--write` puts it into ARCHITECTURE.md."""

from __future__ import annotations

import ast
import sys
import textwrap
from pathlib import Path

import blocks

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = PROJECT / "ARCHITECTURE.md"
WIDTH = 100


def folders(package: Path) -> list[Path]:
    """Return the folders of a package, itself first, each before those inside it."""
    inside = [path for path in sorted(package.iterdir()) if path.is_dir()]
    kept = [path for path in inside if path.name != "__pycache__" and any(path.rglob("*.*"))]
    return [package, *(folder for path in kept for folder in folders(path))]


def purpose(folder: Path) -> str:
    """Return the first line of a package's docstring; nothing for a folder without Python."""
    source = folder / "__init__.py"
    if not source.exists():
        return ""
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n")[0]


def members(folder: Path) -> list[str]:
    """Return the names of a package's modules, and of a plain folder's files, ascending."""
    if (folder / "__init__.py").exists():
        return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def tree() -> str:
    """Return the tree: a folder a line with its purpose, and below it the names of its modules."""
    lines: list[str] = []
    for folder in folders(PROJECT / "alvision"):
        depth = len(folder.relative_to(PROJECT).parts) - 1
        lines.append(f"{'  ' * depth}{folder.name}/".ljust(18) + purpose(folder))
        names = " ".join(members(folder))
        indent = "  " * depth + "    "
        lines += textwrap.wrap(
            names, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
    return "```\n" + "\n".join(line.rstrip() for line in lines) + "\n```"


def main() -> None:
    """Print the tree or write it."""
    if sys.argv[1:] == ["--write"]:
        blocks.rewrite(DOCUMENT, "tree", tree())
    else:
        print(tree())


if __name__ == "__main__":
    main()
