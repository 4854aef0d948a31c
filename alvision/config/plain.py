"""A configuration from a few plain words, without Hydra: for commands that need the data alone.

Hydra takes half a second to import and to compose, which is longer than most work on labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from alvision.config.schema import DataConfig, LabelsConfig, OracleConfig, RunConfig

_TEXTS = ("data.root", "labels.url", "name")
_LISTS = ("classes", "defects")
_KIND = "folder"
"""The data set that `configs/run.yaml` chooses where no word does; a test compares the two."""


def plain_configuration(words: Iterable[str], *, oracle: str) -> RunConfig | None:
    """Return the configuration of words that name a folder and its labels; None: ask Hydra.

    It equals what `compose` gives, but for the settings of the model, the strategies and `out`.

    Args:
        words: `key=value`, as a shell delivers them.
        oracle: Who answers, the value of `oracle.kind`.

    >>> plain_configuration(["data.root=my photos", "classes=[ok,not ok]"], oracle="files").classes
    ['ok', 'not ok']
    >>> plain_configuration(["data=csv", "data.root=photos"], oracle="files") is None
    True
    """
    texts: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    for word in words:
        key, _, value = word.partition("=")
        names = _names(value) if key in _LISTS else None
        if names is not None:
            lists[key] = names
        elif key in _TEXTS and _means_itself(value):
            texts[key] = value
        else:
            return None
    root = texts.get("data.root")
    return RunConfig(
        name=texts.get("name") or Path(root or _KIND).resolve().name,
        classes=lists.get("classes"),
        defects=lists.get("defects"),
        data=DataConfig(kind=_KIND, root=root),
        oracle=OracleConfig(kind=oracle),
        labels=LabelsConfig(url=texts.get("labels.url")),
    )


def _means_itself(value: str) -> bool:
    return bool(value) and value != "null" and value[0] not in "'\"" and "${" not in value


def _names(value: str) -> list[str] | None:
    """Return the names of `[a,b]`; None where Hydra's grammar may mean something else."""
    inner = value[1:-1]
    if value[:1] != "[" or value[-1:] != "]" or re.search(r"[\\$\[\]{}]", inner):
        return None
    names = []
    for quoted, also_quoted, bare in re.findall(
        r"""\s*(?:"([^"]*)"|'([^']*)'|([^,'"]+))\s*(?:,|$)""", inner
    ):
        names.append(quoted or also_quoted or bare.strip())
    count = value.count(",") + 1 if inner.strip() else 0
    return names if names and len(names) == count and all(names) else None
