"""`--help` that teaches: each command's usage, its own options, and the keys of a run.

The options come from the dataclass that parses them and the keys from the schema's docstrings, so
neither can differ from what the program accepts.
"""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core.version import CONFIG_DIR, __version__

if TYPE_CHECKING:
    from alvision.cli.options import Listed, Options

STAGES = {
    "Look at the data": {
        "manifest": "list a pool of any size, in a folder or in object storage, into a table",
        "check": "find mistakes in a data set before anyone spends a label on it",
    },
    "Choose what to label, and learn": {
        "run": "active learning, round by round; the same command resumes",
        "label": "label photographs in the browser while the model learns",
        "compare": "several acquisition functions over several seeds, with a verdict",
        "advice": "what to do next with a run: whether labels still pay, how good the model is",
        "report": "rebuild the report of a run or a study, or write a bundle's shop report",
        "next": "the images that a run asks for, as files for CVAT, Label Studio or FiftyOne",
        "labels": "verify, show, export, import and back up the labels",
    },
    "Put a model to work": {
        "train": "train the final model on all labels, with calibrated probabilities",
        "export": "turn the final model into a bundle, a folder that runs anywhere",
        "threshold": "set a threshold that provably lets few defects through, or refuse",
        "predict": "run a bundle over a folder of photographs: a table and a page",
        "scan": "run a run's model over a pool of any size, shard by shard",
        "promote": "replace the line's bundle by a new one that is no worse, or go back",
        "watch": "run a bundle beside the line: sort images as they arrive, warn of changes",
        "serve": "run a bundle as a web server: a photograph in, its verdict out",
    },
    "Keep house": {
        "cache": "list, verify or prune the features that are kept on disk",
    },
}
"""Each stage of a model's life, and its commands with what each does."""

COMMANDS = {name: meaning for stage in STAGES.values() for name, meaning in stage.items()}
"""Every command; `alvision.cli.<name>` holds its function, its USAGE and its OPTIONS."""

CONFIGURED = ("check", "run", "label", "compare", "train")
"""The commands that take the keys of a run."""


def overview() -> None:
    """Print the commands in the order in which a project needs them."""
    print(f"alvision {__version__}: deep-learning active learning for defect inspection\n")
    print("alvision COMMAND [ACTION] key=value ...")
    for stage, commands in STAGES.items():
        print(f"\n{stage}:")
        for name, meaning in commands.items():
            print(f"  {name:<11}{meaning}")
    print("\n`alvision COMMAND --help` explains a command; debug=true shows tracebacks.")


def command(name: str) -> None:
    """Print a command's usage and options; where it configures a run, the run's keys too."""
    module = import_module(f"alvision.cli.{name}")
    print(f"{name}: {COMMANDS[name]}\n\n{module.USAGE}")
    forms: tuple[type[Options], ...] = module.OPTIONS
    shared = [
        row for form in forms[:1] for row in form.listed() if all(row in f.listed() for f in forms)
    ]
    _print_options("Options" if len(forms) == 1 else "Options of every action", shared)
    for form in forms:
        own = [row for row in form.listed() if row not in shared]
        _print_options(f"Options of {form.command}", own)
    if name in CONFIGURED:
        _print_keys()


def _print_options(title: str, rows: list[Listed]) -> None:
    if rows:
        print(f"\n{title}:")
        _print((f"{row.key}={row.default}", row.meaning) for row in rows)


def _print_keys() -> None:
    from alvision.config.schema import RunConfig

    print("\nGroups (group=option):")
    _print((group, ", ".join(options)) for group, options in groups().items())
    print("\nKeys of a run, with their defaults where no option of a group sets another:")
    _print((f"{key}={_default(key)}", meaning) for key, meaning in meanings(RunConfig).items())


def _print(rows: Iterable[tuple[str, str]]) -> None:
    """Print two columns, the second one wrapped to the terminal."""
    listed = list(rows)
    left = min(max(len(word) for word, _ in listed), 36) + 2
    width = max(shutil.get_terminal_size().columns - left - 2, 30)
    for word, meaning in listed:
        first, *more = textwrap.wrap(meaning, width) or [""]
        if len(word) + 2 > left:  # too long for its column: the meaning begins on the next line
            print(f"  {word}")
            word = ""
        print(f"  {word:<{left}}{first}")
        for line in more:
            print(f"  {'':<{left}}{line}")


def _default(key: str) -> str:
    from alvision.config.schema import MISSING, RunConfig

    value: Any = RunConfig()
    for part in key.split("."):
        value = getattr(value, part)
    if value is None:
        return "null"
    return "" if value == MISSING else str(value).lower() if isinstance(value, bool) else str(value)


def groups() -> dict[str, list[str]]:
    """Return each configuration group's options, those of ./configs included."""
    found: dict[str, set[str]] = {}
    for folder in (CONFIG_DIR, Path.cwd() / "configs"):
        for path in sorted(folder.glob("*/*.yaml")):
            found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(options) for group, options in found.items()}


def meanings(schema: Any, prefix: str = "") -> dict[str, str]:
    """Read each key's meaning from the `Attributes:` of the schema's docstrings.

    >>> from alvision.config.schema import RunConfig
    >>> meanings(RunConfig)["seed"]
    'Split, cold start, training and selection all follow from it.'
    """
    text = inspect.getdoc(schema) or ""
    entries = re.findall(r"^    (\w+): ((?:.+)(?:\n {8}.+)*)", text, flags=re.MULTILINE)
    described = {name: " ".join(meaning.split()) for name, meaning in entries}
    found: dict[str, str] = {}
    for field in fields(schema):
        part = field.default_factory
        if isinstance(part, type) and is_dataclass(part):
            found |= meanings(part, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = described.get(field.name, text.splitlines()[0])
    return found
